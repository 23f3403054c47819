"""Clients that are slow, or never go on, lose their connection."""

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.running import Service, serving, settings_for
from tests.service.server.sockets import LONG, connect, problem, read_all, read_answer, trickle

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


@pytest.fixture(scope="module")
def hasty(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = settings_for(
        bundle_path,
        tmp_path_factory.mktemp("hasty"),
        header_timeout_seconds=0.5,
        body_timeout_seconds=0.5,
        body_min_rate=1e6,
        idle_timeout_seconds=0.5,
    )
    with serving(settings) as running:
        yield running


def test_a_connection_that_sends_nothing_is_closed(hasty: Service) -> None:
    with connect(hasty.url) as link:
        assert read_all(link) == b""


def test_an_idle_connection_is_closed(hasty: Service) -> None:
    with connect(hasty.url) as link:
        link.sendall(LIVE)
        head, _ = read_answer(link)
        assert b" 200 " in head and b"connection" not in head.lower()
        assert read_all(link) == b""


@pytest.mark.parametrize("before", [b"", LIVE])
def test_headers_that_do_not_end(before: bytes, hasty: Service) -> None:
    with connect(hasty.url) as link:
        link.sendall(before + b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nA: ")
        if before:
            read_answer(link)
        found = problem(trickle(link))
    assert (found["status"], found["detail"]) == (408, "the headers did not arrive in time")


@pytest.mark.parametrize("length", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come(length: str, hasty: Service) -> None:
    with connect(hasty.url) as link:
        link.sendall(HEAD + length.encode() + b"\r\n\r\n")
        found = problem(read_all(link))
    assert found["type"] == "urn:reciprocal-norm:request-timeout"
    assert (found["status"], found["detail"]) == (408, "the body did not arrive in time")


def test_a_body_that_trickles(hasty: Service) -> None:
    with connect(hasty.url) as link:
        link.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
        assert problem(trickle(link))["status"] == 408
    assert hasty.http.get("/health/live").status_code == 200


def test_answers_that_are_not_read(hasty: Service) -> None:
    with connect(hasty.url) as link:
        link.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3000)
        # Not reading, which would let the service go on.
        ended = select.poll()
        ended.register(link, 0)
        assert ended.poll(LONG * 1000)
