"""Connections are bounded, and those that ask for nothing make room for those that do."""

import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.service.processes import client, started
from tests.service.running import Service, serving, settings_for
from tests.service.server.sockets import connect, problem, read_all, read_answer

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
BEGUN = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 9\r\n"
    b"Expect: 100-continue\r\n\r\n"
)
FEW = 3


@pytest.fixture
def small(bundle_path: Path, tmp_path: Path) -> Iterator[Service]:
    settings = settings_for(bundle_path, tmp_path, max_connections=FEW)
    with serving(settings) as running:
        running.http.close()
        yield running


def answered(link: socket.socket) -> bool:
    link.sendall(LIVE)
    return b" 200 " in read_answer(link)[0]


def test_the_one_that_is_idle_longest_makes_room(small: Service) -> None:
    with ExitStack() as stack:
        links = [stack.enter_context(connect(small.url)) for _ in range(FEW)]
        for link in (links[1], links[0], links[2]):
            assert answered(link)
        assert answered(stack.enter_context(connect(small.url)))
        assert read_all(links[1]) == b""
        assert answered(links[0]) and answered(links[2])


def test_none_that_is_busy_makes_room(small: Service) -> None:
    with ExitStack() as stack:
        links = [stack.enter_context(connect(small.url)) for _ in range(FEW)]
        for link in links:
            link.sendall(BEGUN)
            # Then it is known to be busy.
            assert link.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for _ in range(3):
            found = problem(read_all(stack.enter_context(connect(small.url))))
            assert (found["status"], found["detail"]) == (
                503,
                "too many connections; try again later",
            )
        for link in links:
            link.sendall(b"not a PNG")
            assert b" 422 " in read_answer(link)[0]


def test_more_idle_connections_than_file_descriptors(bundle_path: Path, tmp_path: Path) -> None:
    limited = f'ulimit -n 256; exec {shlex.quote(sys.executable)} -m rn "$@"'
    command = ("bash", "-c", limited, "rn")
    with started(bundle_path, tmp_path, command=command) as process, ExitStack() as stack:
        links = [stack.enter_context(connect(process.url)) for _ in range(300)]
        with client(process) as http:
            assert http.get("/health/live").status_code == 200
        assert answered(links[-1])
        process.terminate()
        assert process.exit_code() == 0
    assert not any("Too many open files" in line for line in process.stderr)


def test_the_limit_of_file_descriptors_is_raised(bundle_path: Path, tmp_path: Path) -> None:
    limited = f'ulimit -Sn 64; exec {shlex.quote(sys.executable)} -m rn "$@"'
    command = ("bash", "-c", limited, "rn")
    with started(bundle_path, tmp_path, command=command) as process, ExitStack() as stack:
        links = [stack.enter_context(connect(process.url)) for _ in range(100)]
        assert all(answered(link) for link in links)
