"""Requests that wait: for the runner, too long, in too long a queue, or for nobody."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle import Pixels
from service.inference.sessions import Session
from tests.service.pictures import NPY, noise, npy
from tests.service.running import Service, serving, settings_for

LONG = 300.0


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
        deadline = time.monotonic() + LONG
        while not condition():
            assert time.monotonic() < deadline
            self._service.http.get("/health/live")

    def metric(self, name: str, **labels: str) -> float:
        return self._service.resources.metrics.registry.get_sample_value(name, labels) or 0.0

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
