from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.pictures import flat, noise
from tests.service.running import Service, serving, settings_for


@pytest.fixture(scope="module")
def service(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("events")
    with serving(settings_for(bundle_path, folder, commit_every=4)) as running:
        running.adapt(noise(3, 1))
        running.adapt(noise(1, 2))
        running.adapt(flat(6))
        running.post("/rollback")
        running.post("/freeze")
        running.post("/unfreeze")
        yield running


def events(service: Service, **params: int) -> dict[str, Any]:
    answer = service.http.get("/events", params=params)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_everything_that_happened_is_listed(service: Service) -> None:
    page = events(service)
    assert (page["target"], page["earlier"]) == ("default", None)
    found = page["events"]
    assert [event["kind"] for event in found] == [
        "opened",
        "merged",
        "merged",
        "published",
        "alarm",
        "rolled_back",
        "frozen",
        "unfrozen",
    ]
    first, second, alarm = found[1], found[2], found[4]
    assert (first["received"], first["admitted"], first["pending"]) == (3, 3, 3)
    assert (second["admitted"], second["pending"], second["version"]) == (1, 4, None)
    assert (found[3]["version"], found[3]["parent"]) == (1, 0)
    assert found[3]["scores"]["shift"] > 0
    assert (alarm["admitted"], alarm["not_admitted"], alarm["held"]) == (0, 6, 6)
    assert alarm["alarm"] == "6 of 6 images are unlike the images admitted before"
    assert (found[5]["version"], found[5]["previous"]) == (0, 1)
    assert service.http.get("/targets/default/events").json() == page


def test_pages_lead_back_to_the_first_event(service: Service) -> None:
    every = events(service)["events"]
    found: list[dict[str, Any]] = []
    page = events(service, limit=3)
    while True:
        found = page["events"] + found
        if page["earlier"] is None:
            break
        page = events(service, limit=3, before=page["earlier"])
    assert found == every


def test_the_history_can_be_followed(service: Service) -> None:
    every, after = events(service)["events"], 0
    found: list[dict[str, Any]] = []
    while True:
        page = events(service, limit=3, after=after)
        if not page["events"]:
            break
        found += page["events"]
        after = page["latest"]
    assert found == every
    assert page["latest"] == every[-1]["id"]
    service.post("/freeze")
    page = events(service, after=after)
    assert [event["kind"] for event in page["events"]] == ["frozen"]
    service.post("/unfreeze")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "before=-1", "after=x"])
def test_bad_pages_are_reported(query: str, service: Service) -> None:
    answer = service.http.get(f"/events?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"query {query.partition('=')[0]}: Input should be")
