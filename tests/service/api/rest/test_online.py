"""Modes, domains, batches, drift and evidence over HTTP."""

import time
from pathlib import Path

import pytest

from tests.service.pictures import NPY, flat, noise, npy
from tests.service.running import Service, serving, settings_for


def test_a_batch_is_answered_by_the_network_adapted_to_it(service: Service) -> None:
    answer = service.post("/adapt?predict=true", content=npy(noise(3)), headers=NPY)
    predictions = answer["predictions"]
    assert len(predictions) == 3
    assert all(0 < p["probability"] <= 1 for p in predictions)
    assert service.adapt(noise(3, 2))["predictions"] is None


def test_a_dry_run_says_what_would_be(service: Service) -> None:
    tried = service.post("/adapt?dry_run=true", content=npy(noise(3)), headers=NPY)
    assert (tried["admitted"], tried["dry_run"]) == (3, True)
    assert service.versions()["pending"] == 0


def test_who_does_not_wait_can_ask(service: Service) -> None:
    url = "/adapt?wait=false"
    answer = service.post(url, status=202, content=npy(noise(5)), headers=NPY)
    path = f"/batches/{answer['batch']}"
    deadline = time.monotonic() + 60
    while (found := service.http.get(path).json())["status"] == "processing":
        assert time.monotonic() < deadline
    assert (found["status"], found["images"], found["domain"]) == ("pending", 5, 0)
    assert "has no batch 'x'" in service.http.get("/batches/x").json()["detail"]
    failed = service.post(
        url, status=202, content=b"no image", headers={"content-type": "image/png"}
    )
    while (found := service.http.get(f"/batches/{failed['batch']}").json())[
        "status"
    ] == "processing":
        assert time.monotonic() < deadline
    assert found["status"] == "failed" and "image 0" in found["reason"]


def test_domains_are_listed_named_and_forgotten(bundle_path: Path, tmp_path: Path) -> None:
    with serving(settings_for(bundle_path, tmp_path, commit_every=64)) as service:
        for images in (noise(40, 1), flat(64, 2), flat(64, 3), noise(64, 4), noise(64, 5)):
            last = service.adapt(images)
        assert (last["domain"], last["recalled"]) == (0, False)
        found = service.http.get("/domains").json()
        assert found["current"] == 0
        assert [domain["number"] for domain in found["domains"]] == [0, 1]
        named = service.http.put("/domains/1", json={"name": "night", "pinned": True}).json()
        assert (named["name"], named["pinned"]) == ("night", True)
        assert service.http.delete("/domains/0").status_code == 409
        assert len(service.http.delete("/domains/1").json()["domains"]) == 1
        assert service.http.delete("/domains/1").status_code == 404
        drift = service.http.get("/drift").json()
        assert drift["images"] == 64 and len(drift["features"]) == 11
        assert drift["z"] < drift["limit"]
        assert sum(drift["class_shares"].values()) == pytest.approx(1)
        assert all(each["low"] < each["recent"] < each["high"] for each in drift["features"])
        assert [site["site"] for site in drift["sites"]] == ["norm", "hidden_norm"]
        assert all(site["mean"] > 0 for site in drift["sites"])
        assert (drift["held"], drift["traffic"]["images"]) == (0, 0)


def test_predictions_are_compared_with_the_domain(bundle_path: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle_path, tmp_path, commit_every=64, watch_predictions=4)
    with serving(settings) as service:
        service.adapt(noise(64, 1))
        for seed in range(2, 6):
            # 10 images each, of which one of four is looked at, across requests.
            service.post("/predict", content=npy(noise(10, seed)), headers=NPY)
        calm = service.http.get("/drift").json()["traffic"]
        assert calm["images"] == 10
        assert calm["z"] < 8 and len(calm["features"]) == 11
        assert sum(calm["class_shares"].values()) == pytest.approx(1)
        service.post("/predict", content=npy(flat(100, 9)), headers=NPY)
        changed = service.http.get("/drift").json()["traffic"]
        assert changed["images"] == 35 and changed["z"] > 8
        assert service.metrics()["rn_traffic_drift_standard_errors", "small", "default"] > 8
        # Nothing of it moves anything.
        assert service.versions()["pending"] == 0
        assert service.http.get("/domains").json()["current"] == 0


def test_modes_are_changed_and_recorded(service: Service) -> None:
    info = service.http.put("/mode", json={"mode": "off", "reason": "maintenance"}).json()
    assert info["mode"] == "off"
    assert "adaptation is off" in service.adapt(noise(3), status=409)["detail"]
    last = service.http.get("/events").json()["events"][-1]
    assert (last["kind"], last["mode"], last["reason"]) == ("mode", "off", "maintenance")


def test_a_rejected_version_is_forced_with_a_reason(bundle_path: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle_path, tmp_path, commit_every=8, publication_max_shift=1e-9)
    with serving(settings) as service:
        assert service.adapt(noise(8))["committed"]["status"] == "rejected"
        bodies: list[dict[str, object]] = [{}, {"force": True}, {"reason": "x"}]
        for body in bodies:
            problem = service.post("/versions/1/promote", 409, json=body)
            assert "send force: true and a reason" in problem["detail"]
        forced = {"force": True, "reason": "checked by hand"}
        assert service.post("/versions/1/promote", json=forced)["serving"] == 1


def test_labels_are_asked_for_only_where_they_say_something(
    bundle_path: Path, tmp_path: Path
) -> None:
    with serving(settings_for(bundle_path, tmp_path, commit_every=32)) as service:
        service.adapt(noise(32))
        found = service.http.get("/versions/1/evidence").json()
        # This network says the same of all these images, before and after.
        assert (found["verdict"], found["images"], found["parent"]) == ("undecided", [], 0)
        problem = service.post("/versions/1/evidence", 422, json={"labels": {"x": "left"}})
        assert "'x' is not one whose label is asked for" in problem["detail"]
        assert "no parent" in service.http.get("/versions/0/evidence").json()["detail"]


def test_targets_are_made_used_and_deleted(bundle_path: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle_path, tmp_path, loaded_targets=1, max_targets=3, commit_every=8)
    with serving(settings) as service:
        names = ("camera-1", "camera-2")
        for name in names:
            service.post("/targets", json={"name": name})
        for name in names:
            answer = service.post(f"/targets/{name}/adapt", content=npy(noise(8)), headers=NPY)
            assert (answer["target"], answer["serving"]) == (name, 1)
        listed = service.http.get("/targets").json()
        assert listed["targets"] == ["camera-1", "camera-2", "default"]
        assert listed["loaded"] == ["default", "camera-2"]
        assert (
            "as RN_MAX_TARGETS allows"
            in service.post("/targets", 409, json={"name": "c"})["detail"]
        )
        assert "already" in service.post("/targets", 409, json={"name": "camera-1"})["detail"]
        assert service.http.delete("/targets/default").status_code == 409
        assert service.http.delete("/targets/camera-2").json()["loaded"] == ["default"]
        assert service.http.get("/targets/camera-2/versions").status_code == 404
        # The other one comes back from the ledger as it was.
        assert service.http.get("/targets/camera-1/versions").json()["serving"] == 1
        assert service.versions()["serving"] == 0
    with serving(settings) as service:
        assert service.http.get("/targets").json()["targets"] == ["camera-1", "default"]
