"""Server-sent events about a target, and the files and examples of the page."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from service.api.page.files import page_router
from service.api.page.stream import MAX_STREAMS
from service.models.examples import ExamplesError, read_examples
from service.monitoring.activity import quantile
from tests.service.pictures import noise
from tests.service.running import Service, serving, settings_for


def sent(lines: Iterator[str]) -> Iterator[tuple[str, str | None, Any]]:
    """Kind, identifier and data of each event of a stream."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], fields.get("id"), json.loads(fields["data"])
            fields = {}


def follow(service: Service, **given: Any) -> Any:
    return service.http.stream("GET", given.pop("path", "/stream"), timeout=30, **given)


def test_changes_and_activity_are_sent_as_they_happen(bundle_path: Path, tmp_path: Path) -> None:
    with serving(settings_for(bundle_path, tmp_path, commit_every=4)) as service:
        with follow(service) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            events = sent(answer.iter_lines())
            kind, identifier, opened = next(events)
            assert (kind, opened["kind"]) == ("change", "opened")
            service.adapt(noise(4))
            service.predict(noise(6))
            seen, images, activity = [], 0.0, {}
            while "published" not in seen or images == 0:
                kind, _, data = next(events)
                if kind == "change":
                    seen.append(data["kind"])
                elif data["images"]:
                    images, activity = data["images"], data
            assert 0 < images <= 6
            assert sum(activity["labels"].values()) == 6
            assert activity["confidence"] is not None and activity["p99"] >= activity["median"] > 0
        # Whoever connects again hears of what he missed, and of nothing twice.
        with follow(service, headers={"Last-Event-ID": str(identifier)}) as answer:
            events = sent(answer.iter_lines())
            again = [next(events)[2]["kind"] for _ in seen]
        assert again == seen


def test_a_stream_keeps_neither_the_service_nor_a_model_from_ending(
    bundle_path: Path, tmp_path: Path
) -> None:
    with serving(settings_for(bundle_path, tmp_path)) as service, follow(service) as answer:
        events = sent(answer.iter_lines())
        next(events)
        assert service.resources.models.default._uses == 0
        service.resources.draining = True
        # It ends by itself.
        assert {kind for kind, _, _ in events} <= {"activity"}


def test_a_stream_of_a_deleted_target_ends(service: Service) -> None:
    service.post("/targets", json={"name": "old"})
    with follow(service, path="/targets/old/stream") as answer:
        events = sent(answer.iter_lines())
        next(events)
        assert service.http.delete("/targets/old").status_code == 200
        for _ in events:
            pass
    assert service.http.get("/targets/old/stream").status_code == 404


def test_there_are_not_too_many_streams(service: Service) -> None:
    service.resources.streams = MAX_STREAMS
    answer = service.http.get("/stream")
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "64 streams are open already; close one, or follow /events",
    )
    service.resources.streams = 0


@given(st.lists(st.floats(0.001, 9), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_value(times: list[float], share: float) -> None:
    bounds = [0.0, 0.5, 1.0, 2.0, 5.0, 10.0]
    buckets = {bound: float(sum(time <= bound for time in times)) for bound in bounds[1:]}
    found = quantile(buckets, share)
    assert found is not None
    below = [time for time in sorted(times) if time <= found]
    # Of the values, the share lies below the end of the bucket, and not below its beginning.
    high = min(bound for bound in bounds if bound >= found)
    low = max(bound for bound in bounds if bound < found)
    assert len(below) <= len(times)
    assert sum(time <= high for time in times) >= share * len(times)
    assert sum(time <= low for time in times) < share * len(times)


def test_a_quantile_of_nothing() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({1.0: 0.0}, 0.5) is None
    # Nothing is known of what is larger than the largest bound.
    assert quantile({1.0: 0.0, float("inf"): 3.0}, 0.5) == 1.0


def test_examples_are_lent_page_by_page(lent: Service) -> None:
    examples = lent.resources.examples
    assert examples is not None and set(examples.labels[:3]) == {"left", "right", "none"}
    first = lent.http.get("/examples", params={"limit": 10}).json()
    last = lent.http.get("/examples", params={"limit": 10, "offset": 90}).json()
    assert (first["total"], len(first["images"]), len(last["images"])) == (96, 10, 6)
    assert [each["label"] for each in first["images"]] == list(examples.labels[:10])


def test_a_service_without_examples_lends_none(shared: Service) -> None:
    assert shared.http.get("/examples").json() == {"total": 0, "images": []}


def test_examples_that_cannot_be_read_are_one_line(
    examples: Path, lent: Service, tmp_path: Path
) -> None:
    preprocessing = lent.resources.models.default.bundle.manifest.preprocessing
    with pytest.raises(ExamplesError, match=r"folders that are named like the classes.*: x, y$"):
        read_examples(examples, ("x", "y"), preprocessing)
    with pytest.raises(ExamplesError, match="nowhere cannot be read: No such file"):
        read_examples(tmp_path / "nowhere", ("x",), preprocessing)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.png").write_bytes(b"no image")
    with pytest.raises(ExamplesError, match=r"x/1\.png is not an image in a supported format"):
        read_examples(tmp_path, ("x",), preprocessing)


def test_files_of_the_page_are_kept_and_its_address_is_not(shared: Service) -> None:
    index = shared.http.get("/")
    assert index.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in index.headers["content-security-policy"]
    script = index.text.partition('src="./')[2].partition('"')[0]
    for coding in ("gzip", "identity"):
        answer = shared.http.get(f"/{script}", headers={"Accept-Encoding": coding})
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers.get("content-encoding", "identity") == coding
        assert "reciprocal" in answer.text.lower()
    assert shared.http.get("/page/no.js").status_code == 404


def test_an_installation_without_the_page_says_so(tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(page_router(tmp_path))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/")

    answer = asyncio.run(ask())
    assert answer.status_code == 200 and "`make page` builds it" in answer.text
