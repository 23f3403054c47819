"""The bodies of all requests together take no more than their budget."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.api.body.budget import SMALL, ByteBudget, Reservation
from service.errors import Overloaded
from tests.service.pictures import noise, png
from tests.service.running import Service, serving, settings_for
from tests.service.server.sockets import connect, problem, read_all, read_answer

MIB = 2**20
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


@pytest.fixture
def budget() -> ByteBudget:
    return ByteBudget(16 * MIB)


def test_what_is_released_can_be_taken_again(budget: ByteBudget) -> None:
    first, second = Reservation(budget), Reservation(budget)
    first.grow(10 * MIB)
    with pytest.raises(Overloaded, match=r"10,485,760 of 16,777,216 bytes"):
        second.grow(5 * MIB)
    assert budget.held == 10 * MIB
    first.release()
    second.grow(5 * MIB)
    assert budget.held == 5 * MIB


def test_small_bodies_have_a_share(budget: ByteBudget) -> None:
    large = Reservation(budget)
    large.grow(14 * MIB)
    for _ in range(2):
        Reservation(budget).grow(SMALL)
    with pytest.raises(Overloaded):
        Reservation(budget).grow(1)


def test_one_that_is_larger_than_the_budget_is_taken_alone(budget: ByteBudget) -> None:
    Reservation(budget).grow(100 * MIB)
    with pytest.raises(Overloaded):
        Reservation(budget).grow(1)


def test_what_has_ended_takes_nothing(budget: ByteBudget) -> None:
    reservation = Reservation(budget)
    reservation.release()
    with pytest.raises(Overloaded):
        reservation.grow(1)
    assert budget.held == 0


def test_threads_lose_nothing(budget: ByteBudget) -> None:
    def use() -> None:
        for _ in range(1000):
            reservation = Reservation(budget)
            reservation.grow(10)
            reservation.grow(20)
            reservation.release()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.held == 0


@pytest.fixture
def tight(bundle_path: Path, tmp_path: Path) -> Iterator[Service]:
    settings = settings_for(
        bundle_path, tmp_path, max_body_bytes=10 * MIB, max_held_bytes=16 * MIB, max_images=20
    )
    with serving(settings) as running:
        yield running


def held(size: int) -> bytes:
    """The head of a request that is known to be read once its client may go on."""
    return HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size


def test_a_held_body_keeps_out_large_ones_and_no_small_ones(tight: Service) -> None:
    with ExitStack() as stack:
        link = stack.enter_context(connect(tight.url))
        link.sendall(held(9 * MIB))
        assert link.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        metrics = tight.http.get("/metrics").text
        assert f"\nrn_body_bytes {9 * MIB:.6e}\n" in metrics
        other = stack.enter_context(connect(tight.url))
        other.sendall(held(9 * MIB))
        answer = read_all(other)
        assert problem(answer)["type"] == "urn:reciprocal-norm:overloaded"
        assert b" 503 " in answer and b"retry-after: 1" in answer
        assert tight.predict(noise(2))["version"] == 0
    # The client that held it is gone.
    while tight.http.post("/predict", content=bytes(9 * MIB), headers=PNG).status_code == 503:
        pass


def test_a_body_without_a_length_is_counted_as_it_arrives(tight: Service) -> None:
    with ExitStack() as stack:
        link = stack.enter_context(connect(tight.url))
        link.sendall(held(9 * MIB))
        assert link.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        other = stack.enter_context(connect(tight.url))
        other.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n%b\r\n" % (MIB, bytes(MIB))
        for _ in range(9):
            other.sendall(chunk)
        assert problem(read_all(other))["status"] == 503
        # What was held is still taken to its end.
        link.sendall(bytes(9 * MIB))
        assert b" 422 " in read_answer(link)[0]


PNG = {"content-type": "image/png"}


def test_nothing_is_kept_after_requests_of_every_kind(tight: Service) -> None:
    image = png(noise(1)[0])
    for content, status in ((image, 200), (b"x", 422), (b"", 400), (bytes(11 * MIB), 413)):
        assert tight.http.post("/predict", content=content, headers=PNG).status_code == status
    # It is given back after the answer was sent.
    while tight.app.state.body_bytes.held:
        pass
