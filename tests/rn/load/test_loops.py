"""Both loops against a real server: what counts, and from when."""

import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from rn.load.measurement import Measurement
from rn.load.sending.closed_loop import ClosedLoop
from rn.load.sending.load import Load, make_load, run_load
from rn.load.sending.open_loop import OpenLoop
from rn.load.sending.request import Address, Payload
from tests.rn.load.answering import BUSY, CHUNKED, CLOSING, OK, Server, always, answering

PAYLOADS = [Payload(b"first", "image/jpeg"), Payload(b"second!", "image/png")]


# The tests' own server may stop while it accepts a connection, which is then left to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What is left is collected within the test that left it, and not in one that comes later."""
    yield
    gc.collect()


def load_on(server: Server) -> Load:
    return make_load(server.address, "/predict", PAYLOADS)


def evenly(count: int, seconds: float) -> list[float]:
    return [seconds * number / count for number in range(count)]


def opened(server: Server, count: int, seconds: float, **options: float) -> Measurement:
    loop = OpenLoop(evenly(count, seconds), seconds, drain=options.get("drain", 10.0))
    return run_load(load_on(server), loop)


@pytest.mark.parametrize("content", [OK, CHUNKED, CLOSING])
def test_every_request_of_an_open_loop_is_sent_and_counted(content: bytes) -> None:
    with answering(always(content)) as server:
        measured = opened(server, 50, 0.5)
    assert sorted(server.bodies) == sorted([b"first", b"second!"] * 25)
    assert len(measured.statuses) == 50
    assert measured.succeeded.all()
    assert measured.offered == pytest.approx(100)
    assert measured.requests_per_second == pytest.approx(100)
    assert measured.errors() == {}
    assert (server.connections == 50) == (content == CLOSING)


def test_requests_are_complete() -> None:
    with answering(always(OK)) as server:
        run_load(make_load(server.address, "/predict", PAYLOADS[:1]), OpenLoop([0.0], 0.1))
    (head,) = server.heads
    assert head.startswith(b"POST /predict HTTP/1.1\r\n")
    assert b"\r\nHost: 127.0.0.1:%d\r\n" % server.address.port in head
    assert b"\r\nContent-Type: image/jpeg\r\n" in head


def test_a_stall_is_charged_with_all_requests_that_were_due_meanwhile() -> None:
    """The server stops once, for as long as half of the requests are due."""
    stall, seconds, count = 1.0, 2.0, 200

    async def answer(number: int) -> bytes:
        if number == 0:
            # The whole server stands still, not only this connection.
            threading.Event().wait(stall)
        return OK

    with answering(answer) as server:
        measured = opened(server, count, seconds)
    assert len(measured.latencies) == count
    # Due at t, answered no sooner than the end of the stall: at least stall - t, and the stall only
    # begins once the first request is there. A loop that waits would see one slow request.
    due = np.array(evenly(count, seconds))
    least = np.sort(np.maximum(0, stall - due))
    assert (np.sort(measured.latencies) >= least - 0.002).all()
    assert measured.percentile(70) >= stall - due[int(0.3 * count)] - 0.02


def test_refusals_and_lost_connections_are_counted_apart() -> None:
    answers = [OK, BUSY, None, OK]

    async def answer(number: int) -> bytes | None:
        return answers[number % 4]

    with answering(answer) as server:
        measured = opened(server, 40, 0.4)
    assert measured.errors() == {"connection lost": 10, "429": 10}
    assert int(measured.succeeded.sum()) == 20
    assert len(measured.refusals()) == 10


def test_requests_without_an_answer_count_with_the_time_that_they_waited() -> None:
    released = asyncio.Event()

    async def answer(_: int) -> bytes:
        await released.wait()
        return OK

    with answering(answer) as server:
        measured = opened(server, 10, 0.2, drain=0.3)
    assert measured.errors() == {"unanswered": 10}
    assert measured.latencies.min() >= 0.3
    assert measured.percentile(50) >= 0.3
    assert measured.requests_per_second == 0


def test_connections_of_an_open_loop_are_bounded() -> None:
    async def answer(_: int) -> bytes:
        await asyncio.sleep(0.05)
        return OK

    with answering(answer) as server:
        loop = OpenLoop([0.0] * 30, 0.1, max_connections=3)
        measured = run_load(load_on(server), loop)
        assert server.connections == 3
    assert measured.clients == 3
    assert measured.succeeded.all()
    # Thirty requests, three at a time: those that wait for a connection wait from when they are due.
    assert measured.latencies.max() >= 10 * 0.05


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        load = make_load(Address("127.0.0.1", unused.getsockname()[1]), "/", PAYLOADS)
        opened_loop = run_load(load, OpenLoop(evenly(5, 0.1), 0.1))
        closed_loop = run_load(load, ClosedLoop(2, 0.2))
    assert opened_loop.errors() == {"connection lost": 5}
    assert set(closed_loop.errors()) == {"connection lost"}


@pytest.mark.parametrize("content", [OK, CHUNKED, CLOSING])
def test_a_closed_loop_has_one_request_in_flight_per_client(content: bytes) -> None:
    flying, most = 0, 0

    async def answer(_: int) -> bytes:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.001)
        flying -= 1
        return content

    with answering(answer) as server:
        measured = run_load(load_on(server), ClosedLoop(4, 0.5))
        received = len(server.bodies)
    assert most == 4
    assert measured.succeeded.all()
    # What was in flight at the end has no answer within the window.
    assert received - 4 <= len(measured.statuses) <= received
    assert measured.clients == 4


def test_a_server_that_hangs_leaves_a_trace_in_a_closed_loop() -> None:
    released = asyncio.Event()

    async def answer(_: int) -> bytes:
        await released.wait()
        return OK

    with answering(answer) as server:
        measured = run_load(load_on(server), ClosedLoop(2, 0.3, warm_up=0.3))
    assert measured.errors() == {"unanswered": 2}


@pytest.mark.parametrize("kind", [ClosedLoop, OpenLoop])
def test_ctrl_c_ends_a_load_and_keeps_what_was_measured(
    kind: type[ClosedLoop] | type[OpenLoop],
) -> None:
    async def answer(number: int) -> bytes:
        if number == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return OK

    loop = ClosedLoop(1, 3600) if kind is ClosedLoop else OpenLoop(evenly(3_600_000, 3600), 3600)
    with answering(answer) as server:
        measured = run_load(load_on(server), loop)
    assert measured.interrupted
    assert len(measured.statuses) >= 19
    assert measured.seconds < 3600
