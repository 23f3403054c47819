from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.pictures import NPY, noise, npy
from tests.service.running import Service, serving, settings_for


@pytest.fixture(scope="module")
def service(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two versions in addition to the exported one."""
    folder = tmp_path_factory.mktemp("versions")
    with serving(settings_for(bundle_path, folder, commit_every=4, max_body_bytes=4096)) as running:
        running.adapt(noise(4, 1))
        running.adapt(noise(4, 2))
        yield running


def test_versions_are_listed_and_shown(service: Service) -> None:
    info = service.post("/versions/2/promote")
    assert info == service.versions()
    assert [(v["number"], v["parent"], v["status"]) for v in info["versions"]] == [
        (0, None, "exported"),
        (1, 0, "published"),
        (2, 1, "published"),
    ]
    assert [v["count"] for v in info["versions"]] == [0, 4, 8]
    for version in info["versions"]:
        assert service.http.get(f"/versions/{version['number']}").json() == version


def test_going_back_and_forth(service: Service) -> None:
    assert service.post("/versions/2/promote")["serving"] == 2
    assert service.post("/rollback")["serving"] == 1
    assert service.post("/rollback", json={"version": None})["serving"] == 0
    assert "nothing to roll back to" in service.post("/rollback", 409)["detail"]
    assert service.post("/rollback", json={"version": 2})["serving"] == 2
    assert service.post("/reset")["serving"] == 0
    assert service.predict(noise(1))["version"] == 0


def test_versions_come_in_pages(service: Service) -> None:
    newest = service.http.get("/versions?limit=2").json()
    assert [v["number"] for v in newest["versions"]] == [1, 2]
    assert newest["earlier"] == 1
    oldest = service.http.get(f"/versions?limit=2&before={newest['earlier']}").json()
    assert [v["number"] for v in oldest["versions"]] == [0]
    assert oldest["earlier"] is None
    assert service.versions()["earlier"] is None


def test_a_version_without_moments_is_named(bundle_path: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle_path, tmp_path, commit_every=4, keep_versions=1)
    with serving(settings) as service:
        for seed in range(1, 5):
            service.adapt(noise(4, seed))
        assert [v["kept"] for v in service.versions()["versions"]] == [
            True,
            False,
            False,
            True,
            True,
        ]
        for answer in (
            service.post("/versions/2/promote", 409),
            service.post("/rollback", 409, json={"version": 1}),
            service.predict(noise(1), version=2, status=409),
        ):
            assert "are no longer kept" in answer["detail"]
        assert service.post("/rollback")["serving"] == 3


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "detail"),
    [
        ("GET", "/versions/9", {}, 404, "target 'default' has no version 9"),
        ("POST", "/versions/9/promote", {}, 404, "has no version 9"),
        ("GET", "/versions/-1", {}, 422, "path number: Input should be greater than or equal to 0"),
        ("GET", "/versions/99999999999", {}, 422, "path number: Input should be less than"),
        ("GET", "/versions/one", {}, 422, "path number: Input should be a valid integer"),
        ("POST", "/rollback", {"json": {"version": 9}}, 404, "has no version 9"),
        ("POST", "/rollback", {"json": {"version": -1}}, 422, "body version: Input should be"),
        ("POST", "/rollback", {"json": {"version": 2**31}}, 422, "body version: Input should be"),
        ("POST", "/rollback", {"json": {"version": False}}, 422, "body version: Input should be"),
        ("POST", "/rollback", {"json": {"number": 1}}, 422, "body number: Extra inputs"),
        ("POST", "/rollback", {"json": [1]}, 422, "body: Input should be"),
        ("POST", "/rollback", {"content": b"{"}, 415, "unsupported content type (none)"),
        (
            "POST",
            "/rollback",
            {"content": b"{", "headers": {"content-type": "application/json"}},
            422,
            "body: Invalid JSON",
        ),
        (
            "POST",
            "/rollback",
            {"content": b" " * 5000, "headers": {"content-type": "application/json"}},
            413,
            "larger than the 4,096 bytes",
        ),
        ("POST", "/predict?version=9", {"content": b"x"}, 404, "has no version 9"),
        (
            "POST",
            "/predict?version=-1",
            {"content": b"x"},
            422,
            "query version: send the number of a version or a label",
        ),
        (
            "POST",
            "/predict?version=x",
            {"content": b"x"},
            422,
            "query version: send the number of a version or a label",
        ),
        ("POST", "/targets/other/predict", {"content": b"x"}, 404, "there is no target 'other'"),
        ("GET", "/targets/other/versions", {}, 404, "there is no target 'other'"),
        ("GET", "/models/other/versions", {}, 404, "no model 'other' is loaded"),
        ("GET", "/nowhere", {}, 404, "Not Found"),
        ("GET", "/predict", {}, 405, "Method Not Allowed"),
    ],
)
def test_what_there_is_not(
    method: str, path: str, content: dict[str, Any], status: int, detail: str, service: Service
) -> None:
    answer = service.http.request(method, path, **content)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert detail in problem["detail"] and "\n" not in problem["detail"]


def test_every_path_names_its_target(service: Service) -> None:
    images = noise(2)
    answer = service.http.post("/targets/default/predict", content=npy(images), headers=NPY)
    assert answer.json() == service.predict(images)
    assert service.http.get("/targets/default/versions").json() == service.versions()
    (model,) = service.http.get("/health/ready").json()["models"]
    for prefix in (f"/models/{model}", f"/models/{model}/targets/default"):
        again = service.http.post(f"{prefix}/predict", content=npy(images), headers=NPY)
        assert again.json() == answer.json()
        assert service.http.get(f"{prefix}/versions").json() == service.versions()
