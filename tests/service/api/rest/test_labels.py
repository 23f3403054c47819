"""Labels of versions over HTTP: what carries one is ready to run, and stays so."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.inference.sessions import Session
from tests.service.pictures import NPY, noise, npy
from tests.service.running import Service, serving, settings_for

LONG = 300.0


def put(service: Service, label: str, version: Any, status: int = 200) -> dict[str, Any]:
    answer = service.http.put(f"/labels/{label}", json={"version": version})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def predict(service: Service, version: str) -> httpx.Response:
    params = {"version": version}
    return service.http.post("/predict", params=params, content=npy(noise(2)), headers=NPY)


def labels(serving: int, shadow: int | None) -> dict[str, Any]:
    return {"target": "default", "serving": serving, "shadow": shadow}


def test_labels_name_versions_and_survive_a_restart(bundle_path: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle_path, tmp_path, commit_every=4, keep_versions=1)
    with serving(settings) as service:
        assert service.http.get("/labels").json() == labels(0, None)
        for seed in range(3):
            service.adapt(noise(4, seed))
        service.post("/versions/3/promote")
        assert put(service, "shadow", 3) == labels(3, 3)
        assert put(service, "serving", 0) == labels(0, 3)
        by_label = predict(service, "shadow").json()
        assert (by_label["version"], predict(service, "serving").json()["version"]) == (3, 0)
        assert by_label == predict(service, "3").json()
        # Of old versions one is kept, besides those that have a label.
        for seed in range(3, 6):
            service.adapt(noise(4, seed))
        versions = service.versions()["versions"]
        assert [v["number"] for v in versions if v["kept"]] == [0, 3, 5, 6]
    with serving(settings) as service:
        assert service.http.get("/labels").json() == labels(6, 3)
        assert predict(service, "shadow").json() == by_label
        assert service.http.delete("/labels/shadow").json() == labels(6, None)
        assert service.http.delete("/labels/shadow").json() == labels(6, None)
        detail = predict(service, "shadow")
        assert detail.status_code == 404
        assert "has the label 'shadow'" in detail.json()["detail"]
        events = service.http.get("/events").json()["events"]
        found = [(e["kind"], e["version"], e["previous"]) for e in events if "shadow" in e["kind"]]
        assert found == [("shadow_set", 3, None), ("shadow_removed", None, 3)]


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [
        (7, 404, "has no version 7"),
        (-1, 422, "body version: "),
        ("3", 422, "body version: "),
        (None, 422, "body version: "),
    ],
)
def test_a_label_stays_if_it_cannot_move(
    version: Any, status: int, text: str, service: Service
) -> None:
    put(service, "shadow", 0)
    for label in ("shadow", "serving"):
        assert text in put(service, label, version, status)["detail"]
    assert service.http.get("/labels").json() == labels(0, 0)


@pytest.mark.parametrize("version", ["latest", "-1", "1.0", "٣", "99999999999", ""])
def test_a_version_has_a_number_or_a_label(version: str, service: Service) -> None:
    answer = predict(service, version)
    assert answer.status_code == 422
    assert "send the number of a version or a label (serving, shadow)" in answer.json()["detail"]


def test_a_version_that_is_built_holds_up_nobody_and_is_built_once(
    bundle_path: Path, tmp_path: Path
) -> None:
    with (
        serving(settings_for(bundle_path, tmp_path, commit_every=4)) as service,
        ThreadPoolExecutor(3) as threads,
    ):
        service.adapt(noise(4))
        versions = service.resources.models.default.targets.default.served
        load, built, begun, go = versions._load, list[int](), threading.Event(), threading.Event()

        def held(number: int) -> Session:
            built.append(number)
            begun.set()
            assert go.wait(LONG)
            return load(number)

        versions._load = held
        waiting = [threads.submit(predict, service, "0") for _ in range(3)]
        assert begun.wait(LONG)
        assert service.predict(noise(2))["version"] == 1
        go.set()
        assert [answer.result(LONG).json()["version"] for answer in waiting] == [0, 0, 0]
        assert built == [0]


def test_a_build_that_fails_leaves_the_label(service: Service, bundle_path: Path) -> None:
    put(service, "shadow", 0)
    with serving(settings_for(bundle_path, bundle_path.parent / "fails", commit_every=4)) as other:
        other.adapt(noise(4))
        versions = other.resources.models.default.targets.default.served

        def broken(_: int) -> Session:
            raise MemoryError("no memory")

        load, versions._load = versions._load, broken
        answer = other.http.put("/labels/shadow", json={"version": 0})
        assert answer.status_code == 500
        assert other.http.get("/labels").json() == labels(1, None)
        versions._load = load
        assert put(other, "shadow", 0) == labels(1, 0)
