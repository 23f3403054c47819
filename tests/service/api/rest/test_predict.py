"""Requests that wait: for the runner, too long, in too long a queue, or for nobody."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle import Pixels
from service.inference.sessions import Session
from tests.service.pictures import NPY, noise, npy, png
from tests.service.running import Service, serving, settings_for

LONG = 300.0
PNG = {"content-type": "image/png"}


@dataclass(frozen=True)
class Hooked(Session):
    """A session that calls a function with the number of images before every run."""

    before: Callable[[int], object]

    def probabilities(self, pixels: Pixels) -> NDArray[np.float64]:
        """Probabilities of images."""
        self.before(len(pixels))
        return super().probabilities(pixels)


def hook(service: Service, before: Callable[[int], object]) -> None:
    """Call a function before every run of the served version."""
    versions = service.resources.models.default.targets.default.served
    versions.serve(Hooked(versions.served.version, versions.served.runner, before))


def metric(service: Service, name: str, **labels: str) -> float:
    """Value of a metric; 0 if nothing was counted."""
    return service.resources.metrics.registry.get_sample_value(name, labels) or 0.0


def wait_until(service: Service, condition: Callable[[], bool]) -> None:
    """Wait for something that the service does by itself."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        service.http.get("/health/live")


class Latch:
    """Holds the runner of a service before every batch until it is opened.

    Attributes:
        runs: number of images of every batch that was begun.
    """

    def __init__(self, service: Service) -> None:
        self.runs: list[int] = []
        self._opened = threading.Event()
        hook(service, self._hold)
        self._service = service

    def wait_for(self, condition: Callable[[], bool]) -> None:
        wait_until(self._service, condition)

    def metric(self, name: str, **labels: str) -> float:
        return metric(self._service, name, **labels)

    def open(self) -> None:
        self._opened.set()

    def _hold(self, images: int) -> None:
        self.runs.append(images)
        assert self._opened.wait(LONG)


@contextmanager
def held(bundle: Path, folder: Path, **changes: float) -> Iterator[tuple[Service, Latch]]:
    with serving(settings_for(bundle, folder, **changes)) as service:
        latch = Latch(service)
        try:
            yield service, latch
        finally:
            latch.open()


def test_requests_that_wait_are_run_together(bundle_path: Path, tmp_path: Path) -> None:
    with held(bundle_path, tmp_path) as (service, latch), ThreadPoolExecutor(4) as threads:
        images = [noise(n, seed=n) for n in (1, 2, 3, 4)]
        first = threads.submit(service.predict, images[0])
        latch.wait_for(lambda: latch.runs == [1])
        others = [threads.submit(service.predict, part) for part in images[1:]]
        latch.wait_for(lambda: latch.metric("rn_queue_images") == 9)
        latch.open()
        answers = [future.result(LONG) for future in (first, *others)]
        assert latch.runs == [1, 9]
        for part, answer in zip(images, answers, strict=True):
            expected = service.predict(part)["predictions"]
            assert len(answer["predictions"]) == len(expected)
            for found, alone in zip(answer["predictions"], expected, strict=True):
                assert found["probabilities"] == pytest.approx(alone["probabilities"])


def test_a_full_queue_is_told_and_when_to_come_again(bundle_path: Path, tmp_path: Path) -> None:
    with (
        held(bundle_path, tmp_path, max_queue=2) as (service, latch),
        ThreadPoolExecutor(2) as threads,
    ):
        first = threads.submit(service.predict, noise(1))
        latch.wait_for(lambda: latch.runs == [1])
        second = threads.submit(service.predict, noise(2))
        latch.wait_for(lambda: latch.metric("rn_queue_images") == 2)
        refused = service.http.post("/predict", content=npy(noise(1)), headers=NPY)
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "1"
        assert refused.json()["detail"] == "2 images are waiting already; the maximum is 2"
        latch.open()
        assert len(first.result(LONG)["predictions"]) == 1
        assert len(second.result(LONG)["predictions"]) == 2


def test_who_waits_too_long_is_told(bundle_path: Path, tmp_path: Path) -> None:
    with held(bundle_path, tmp_path, timeout_seconds=0.05) as (service, latch):
        detail = service.predict(noise(1), status=504)["detail"]
        assert detail == "no prediction within 0.05 s"
        service.predict(noise(2), status=504)
        latch.open()
    # What nobody waits for any more is not run; the first may have been under way.
    assert 2 not in latch.runs


def test_images_of_a_client_that_has_gone_are_dropped(bundle_path: Path, tmp_path: Path) -> None:
    with held(bundle_path, tmp_path) as (service, latch), ThreadPoolExecutor(1) as threads:
        first = threads.submit(service.predict, noise(1))
        latch.wait_for(lambda: latch.runs == [1])
        with raw(service, npy(noise(5))):
            latch.wait_for(lambda: latch.metric("rn_queue_images") == 5)
        latch.wait_for(lambda: latch.metric("rn_refused_requests_total", status="499") == 1)
        latch.open()
        assert len(first.result(LONG)["predictions"]) == 1
        assert len(service.predict(noise(2))["predictions"]) == 2
        assert latch.runs == [1, 2]


@pytest.mark.parametrize("path", ["/predict", "/adapt"])
def test_a_client_that_goes_while_it_sends_is_no_failure(path: str, shared: Service) -> None:
    refused = shared.resources.metrics.failures.labels("499")._value
    before = refused.get()
    with raw(shared, npy(noise(5)), path, missing=10):
        pass
    deadline = time.monotonic() + LONG
    while refused.get() == before:
        assert time.monotonic() < deadline
        shared.http.get("/health/live")
    assert shared.versions()["pending"] == 0


@contextmanager
def raw(
    service: Service, body: bytes, path: str = "/predict", missing: int = 0
) -> Iterator[socket.socket]:
    """A connection on which a request was sent, up to some bytes that are missing."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-npy\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body[: len(body) - missing])
        yield connection


def test_slow_bodies_fill_the_queue_and_others_are_refused_at_once(
    bundle_path: Path, tmp_path: Path
) -> None:
    with serving(settings_for(bundle_path, tmp_path, max_queue=3)) as service, ExitStack() as slow:
        for _ in range(3):
            slow.enter_context(raw(service, npy(noise(1)), missing=1))
        wait_until(service, lambda: metric(service, "rn_queue_images") == 3)
        answer = service.http.post("/predict", content=npy(noise(1)), headers=NPY)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        slow.close()
        wait_until(service, lambda: metric(service, "rn_queue_images") == 0)
        service.predict(noise(3))


def test_a_body_that_grows_beyond_the_queue_is_refused(bundle_path: Path, tmp_path: Path) -> None:
    with (
        serving(settings_for(bundle_path, tmp_path, max_queue=3)) as service,
        raw(service, npy(noise(1)), missing=1),
    ):
        wait_until(service, lambda: metric(service, "rn_queue_images") == 1)
        detail = service.predict(noise(3), status=429)["detail"]
        assert detail == "1 images are waiting already; the maximum is 3"
        service.predict(noise(2))


def test_the_deadline_covers_the_body(bundle_path: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle_path, tmp_path, timeout_seconds=0.05)
    with serving(settings) as service, raw(service, npy(noise(1)), missing=1) as connection:
        answer = connection.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert metric(service, "rn_queue_images") == 0


def test_one_damaged_image_does_not_concern_its_batch(bundle_path: Path, tmp_path: Path) -> None:
    with held(bundle_path, tmp_path) as (service, latch), ThreadPoolExecutor(4) as threads:
        first = threads.submit(service.predict, noise(1))
        latch.wait_for(lambda: latch.runs == [1])

        def post(content: bytes) -> int:
            return service.http.post("/predict", content=content, headers=PNG).status_code

        good = png(noise(1)[0])
        statuses = [threads.submit(post, content) for content in (good, good[:60], good)]
        latch.wait_for(lambda: latch.metric("rn_queue_images") == 3)
        latch.open()
        assert [status.result(LONG) for status in statuses] == [200, 422, 200]
        assert len(first.result(LONG)["predictions"]) == 1
        assert sum(latch.runs) == 3


def test_images_to_adapt_are_not_touched_while_a_prediction_waits(
    bundle_path: Path, tmp_path: Path
) -> None:
    with held(bundle_path, tmp_path) as (service, latch), ThreadPoolExecutor(3) as threads:
        background = service.resources.background
        background._patience = background._longest = LONG
        first = threads.submit(service.predict, noise(1))
        latch.wait_for(lambda: latch.runs == [1])
        second = threads.submit(service.predict, noise(2))
        latch.wait_for(lambda: latch.metric("rn_queue_images") == 2)
        adapting = threads.submit(service.adapt, noise(4))
        latch.wait_for(lambda: background.waiting == 1)
        # A change by hand does not wait, neither for predictions nor for images to adapt.
        assert service.post("/rollback", 409)
        assert (background.waiting, background.done, adapting.done()) == (1, 0, False)
        latch.open()
        assert adapting.result(LONG)["admitted"] == 4
        # Each image was decoded on its own; the features of all were found together, then their moments.
        assert background.done == 6
        assert [len(reply.result(LONG)["predictions"]) for reply in (first, second)] == [1, 2]


def test_a_failure_is_told_without_its_details(bundle_path: Path, tmp_path: Path) -> None:
    with serving(settings_for(bundle_path, tmp_path)) as service:
        failures = [RuntimeError("secret")]

        def fail_once(_: int) -> None:
            if failures:
                raise failures.pop()

        hook(service, fail_once)
        answer = service.http.post("/predict", content=npy(noise(1)), headers=NPY)
        assert (answer.status_code, answer.headers["content-type"]) == (
            500,
            "application/problem+json",
        )
        assert answer.json()["detail"] == "internal error; see the service log"
        assert np.isclose(service.predict(noise(1))["predictions"][0]["probability"], 0.5, atol=0.5)
