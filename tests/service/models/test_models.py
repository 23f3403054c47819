"""Several models in one process, loaded, replaced and unloaded while it runs."""

import gc
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundle.errors import BundleError
from bundle.files import PREDICT
from service.app import create_app
from service.errors import ModelNotLoaded
from service.inference.sessions import CpuRunner
from tests.service.models.bundles import put_bundle
from tests.service.pictures import NPY, noise, npy
from tests.service.running import Service, serving, settings_for

LONG = 300.0


@pytest.fixture
def directory(bundle_path: Path, tmp_path: Path) -> Path:
    """A directory with the models ``a`` and ``b``."""
    path = tmp_path / "models"
    for name in ("a", "b"):
        put_bundle(bundle_path, path, name)
    return path


@pytest.fixture
def models(directory: Path, tmp_path: Path) -> Iterator[Service]:
    """A service of both."""
    with serving(settings_for(None, tmp_path, models=directory, commit_every=4)) as service:
        yield service


def listed(service: Service) -> dict[str, dict[str, Any]]:
    """What ``GET /models`` answers, by name."""
    return {model["name"]: model for model in service.http.get("/models").json()["models"]}


def states(service: Service) -> dict[str, str]:
    return {name: model["state"] for name, model in listed(service).items()}


def predict(service: Service, model: str) -> httpx.Response:
    return service.http.post(f"/models/{model}/predict", content=npy(noise(2)), headers=NPY)


@contextmanager
def half_sent(service: Service, path: str, body: bytes) -> Iterator[Future[bytes]]:
    """A request under way: its last bytes are sent at the end of the block; then comes the answer."""
    host, port = service.url.removeprefix("http://").split(":")
    answer: Future[bytes] = Future()
    with socket.create_connection((host, int(port)), LONG) as connection:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-npy\r\n"
            f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body[:-10])
        yield answer
        connection.sendall(body[-10:])
        answer.set_result(b"".join(iter(lambda: connection.recv(65536), b"")))


def wait_for_state(service: Service, model: str, state: str) -> None:
    deadline = time.monotonic() + LONG
    while states(service)[model] != state:
        assert time.monotonic() < deadline


def wait_until_used(service: Service, model: str) -> None:
    """Wait until a request that is under way uses the model."""
    found = service.resources.models.find(model)
    while found._unused.is_set():
        service.http.get("/health/live")


def test_each_model_has_its_own_targets(models: Service) -> None:
    assert listed(models)["a"] == {
        "name": "a",
        "state": "ready",
        "default": True,
        "bundle": models.resources.models.find("a").bundle.fingerprint,
        "targets": ["default"],
        "reason": None,
    }
    models.post("/models/b/adapt", content=npy(noise(4)), headers=NPY)
    answers = {name: predict(models, name).json() for name in ("a", "b")}
    assert {name: (a["model"], a["version"]) for name, a in answers.items()} == {
        "a": ("a", 0),
        "b": ("b", 1),
    }
    assert models.predict(noise(2)) == answers["a"]
    health = models.http.get("/health/ready").json()
    assert (health["model"], health["models"], health["serving"]) == ("a", ["a", "b"], 0)


def test_a_model_is_loaded_by_name_and_unloaded(
    models: Service, bundle_path: Path, directory: Path
) -> None:
    put_bundle(bundle_path, directory, "c")
    assert states(models) == {"a": "ready", "b": "ready", "c": "unloaded"}
    assert models.post("/models/c/load")["state"] == "ready"
    assert predict(models, "c").status_code == 200
    assert models.post("/models/c/unload")["state"] == "unloaded"
    assert predict(models, "c").status_code == 404
    assert models.post("/models/c/load")["state"] == "ready"
    assert predict(models, "c").status_code == 200


def test_names_come_from_the_directory_alone(
    models: Service, bundle_path: Path, directory: Path, tmp_path: Path
) -> None:
    put_bundle(bundle_path, tmp_path, "outside")
    put_bundle(bundle_path, directory, ".hidden")
    for name in ("..%2Foutside", "%2e%2e", ".hidden", "none", str(tmp_path / "outside")):
        answer = models.http.post(f"/models/{name}/load")
        assert answer.status_code == 404, name
    assert states(models) == {"a": "ready", "b": "ready"}


def test_a_bundle_that_cannot_be_loaded_leaves_what_runs(
    models: Service, directory: Path, bundle_path: Path
) -> None:
    before = predict(models, "b").json()
    put_bundle(bundle_path, directory, "b", label="second")
    (directory / "b" / PREDICT).write_bytes(b"damaged")
    detail = models.post("/models/b/load", 422)["detail"]
    assert detail.startswith("model 'b': predict.onnx ") and "\n" not in detail
    assert predict(models, "b").json() == before
    found = listed(models)["b"]
    assert (found["state"], found["reason"]) == ("ready", detail.removeprefix("model 'b': "))
    put_bundle(bundle_path, directory, "b", label="second")
    assert models.post("/models/b/load")["reason"] is None


def test_one_bundle_is_not_loaded_under_two_names(
    models: Service, directory: Path, bundle_path: Path
) -> None:
    put_bundle(bundle_path, directory, "c", label="a")
    detail = models.post("/models/c/load", 422)["detail"]
    assert detail == "model 'c': model 'a' has the same bundle; load it under one name"
    put_bundle(bundle_path, directory, "c")
    assert models.post("/models/c/load")["state"] == "ready"


def test_the_number_of_models_has_a_limit(
    directory: Path, bundle_path: Path, tmp_path: Path
) -> None:
    put_bundle(bundle_path, directory, "c")
    with serving(settings_for(None, tmp_path, models=directory, max_models=2)) as service:
        line = "2 models are loaded already, the maximum; unload one first"
        assert (listed(service)["c"]["state"], listed(service)["c"]["reason"]) == ("failed", line)
        assert service.post("/models/c/load", 409)["detail"] == line
        service.post("/models/b/unload")
        service.post("/models/c/load")
        assert states(service) == {"a": "ready", "b": "unloaded", "c": "ready"}


def test_the_default_model_stays(models: Service) -> None:
    detail = models.post("/models/a/unload", 409)["detail"]
    assert detail == "model 'a' is the default one; it stays loaded"
    assert models.post("/models/c/unload", 404)["detail"].startswith("no model 'c' is loaded")


def test_unloading_waits_for_requests_and_frees_the_sessions(models: Service) -> None:
    served = models.resources.models.find("b").targets.default.served
    runner = served.served.runner
    assert isinstance(runner, CpuRunner)
    sessions = [weakref.ref(served.served), weakref.ref(runner.runtime)]
    del served, runner
    gc.collect()
    gc.disable()
    try:
        with ThreadPoolExecutor(1) as threads:
            with half_sent(models, "/models/b/predict", npy(noise(2))) as answer:
                wait_until_used(models, "b")
                unloading = threads.submit(models.post, "/models/b/unload")
                wait_for_state(models, "b", "unloading")
                assert predict(models, "b").status_code == 404
                assert not unloading.done()
            assert answer.result().startswith(b"HTTP/1.1 200 ")
            assert unloading.result(LONG)["state"] == "unloaded"
        assert [session() for session in sessions] == [None, None]
    finally:
        gc.enable()


def test_a_changed_bundle_replaces_the_old_one_when_loaded(
    models: Service, directory: Path, bundle_path: Path
) -> None:
    first = listed(models)["a"]["bundle"]
    assert models.post("/models/a/load")["bundle"] == first
    models.adapt(noise(4))
    put_bundle(bundle_path, directory, "a", label="second")
    with ThreadPoolExecutor(1) as threads:
        with half_sent(models, "/predict", npy(noise(2))) as answer:
            wait_until_used(models, "a")
            loading = threads.submit(models.post, "/models/a/load")
            while (now := models.http.get("/health/ready").json()["bundle"]) == first:
                pass
            assert models.predict(noise(2))["version"] == 0
            assert not loading.done()
        # The request under way is answered by the model that it had found.
        assert b'"version":1' in answer.result()
        assert loading.result(LONG)["bundle"] == now
    put_bundle(bundle_path, directory, "a")
    assert models.post("/models/a/load")["bundle"] == first
    assert models.predict(noise(2))["version"] == 1


def swap_under_load(
    models: Service, directory: Path, bundle_path: Path, swaps: int
) -> tuple[int, list[tuple[int, str]]]:
    """Replace the default model and move its label while clients predict without a pause.

    Returns:
        The number of requests, and the status and text of those that failed.
    """
    stop, failed, counts = threading.Event(), list[tuple[int, str]](), list[int]()

    def send() -> None:
        count = 0
        with httpx.Client(base_url=models.url, timeout=LONG) as http:
            while not stop.is_set():
                answer = http.post("/predict", content=npy(noise(2)), headers=NPY)
                count += 1
                if answer.status_code != 200:
                    failed.append((answer.status_code, answer.text))
        counts.append(count)

    with ThreadPoolExecutor(2) as threads:
        for _ in range(2):
            threads.submit(send)
        try:
            for swap in range(swaps):
                if swap % 2:
                    put_bundle(bundle_path, directory, "a", label=("a", "second")[swap // 2 % 2])
                    models.post("/models/a/load")
                else:
                    models.adapt(noise(4, seed=swap))
                    models.post("/versions/0/promote")
        finally:
            stop.set()
    return sum(counts), failed


def test_no_request_fails_while_models_are_swapped(
    models: Service, directory: Path, bundle_path: Path
) -> None:
    requests, failed = swap_under_load(models, directory, bundle_path, swaps=8)
    assert requests > 8
    assert not failed


def test_the_bundle_outside_the_directory_is_the_default_model(
    bundle_path: Path, directory: Path, tmp_path: Path
) -> None:
    with serving(settings_for(bundle_path, tmp_path, models=directory)) as service:
        assert service.http.get("/health/ready").json()["model"] == "small"
        assert states(service) == {"a": "ready", "b": "ready", "small": "ready"}
        assert service.post("/models/small/load")["state"] == "ready"
    with serving(settings_for(directory / "b", tmp_path, models=directory)) as service:
        assert {m: found["default"] for m, found in listed(service).items()} == {
            "a": False,
            "b": True,
        }
    put_bundle(bundle_path, directory, "small", label="another")
    with pytest.raises(ModelNotLoaded, match="would be models of the same name, 'small'"):
        create_app(settings_for(bundle_path, tmp_path, models=directory))


def test_only_the_default_model_is_needed_to_start(directory: Path, tmp_path: Path) -> None:
    (directory / "b" / PREDICT).write_bytes(b"damaged")
    settings = settings_for(None, tmp_path, models=directory)
    with serving(settings) as service:
        assert states(service) == {"a": "ready", "b": "failed"}
        assert listed(service)["b"]["reason"].startswith("predict.onnx ")
    (directory / "a" / PREDICT).write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"^predict\.onnx "):
        create_app(settings)
    with pytest.raises(ModelNotLoaded, match="the directory of models cannot be read"):
        create_app(settings_for(None, tmp_path, models=tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotLoaded, match="holds no models"):
        create_app(settings_for(None, tmp_path, models=tmp_path / "empty"))
