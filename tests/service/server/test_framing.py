"""Where one request ends and the next begins is never in doubt."""

import pytest

from tests.service.pictures import noise, png
from tests.service.running import Service
from tests.service.server.sockets import connect, problem, raw, read_all, read_answer

GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /reset HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = b"Connection: close\r\n\r\n"
SMUGGLED = b"GET /versions HTTP/1.1\r\nHost: localhost\r\n\r\n"

NOT_HTTP = {
    "two ways to end": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "the other order": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "two lengths in one": POST + b"Content-Length: 0, 5\r\n\r\n",
    "a signed length": POST + b"Content-Length: +5\r\n\r\nhello",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length in hexadecimal": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "a length beyond integers": POST + b"Content-Length: 18446744073709551617\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 5\r\n\r\nhello",
    "a folded header": POST + b"A: b\r\n Content-Length: 5\r\n\r\nhello",
    "a header without a name": POST + b": 5\r\n\r\n",
    "a null byte": POST + b"A: \x00\r\n\r\n",
    "lines without carriage return": POST.replace(b"\r", b"") + b"\n",
    "a bare carriage return": POST + b"A: b\rContent-Length: 5\r\n\r\nhello",
    "no host": b"GET /health/live HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: localhost\r\n\r\n",
    "another protocol": b"GET / HTTQ/1.1\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "a path beyond ASCII": "GET /ä HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
}


@pytest.mark.parametrize("case", NOT_HTTP)
def test_what_is_ambiguous_is_refused(case: str, shared: Service) -> None:
    assert problem(raw(shared, NOT_HTTP[case] + SMUGGLED))["status"] == 400


@pytest.mark.parametrize(
    "coding", [b"gzip, chunked", b"identity", b"chunked, chunked", b"xchunked"]
)
def test_transfer_encodings_other_than_chunked_are_refused(coding: bytes, shared: Service) -> None:
    head = POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n"
    assert problem(raw(shared, head + SMUGGLED))["status"] in (400, 501)


@pytest.mark.parametrize(
    "chunk", [b"x\r\n", b"-1\r\n", b"5\r\nhello!", b"1" * 17 + b"\r\n", b"1;\n"]
)
def test_chunks_that_are_none(chunk: bytes, shared: Service) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    found = problem(raw(shared, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + SMUGGLED))
    assert found["status"] == 400


def test_garbage_after_a_request_does_not_reach_its_answer(shared: Service) -> None:
    answer = raw(shared, GET + b"\r\n" + b"garbage\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"status":"live"}')


@pytest.mark.parametrize(
    "headers",
    [b"A: " + b"x" * 2**17 + b"\r\n\r\n", b"A: b\r\n" * 20_000 + b"\r\n", b"A: " + b"x" * 10**6],
    ids=["one", "many", "without end"],
)
def test_headers_are_bounded(headers: bytes, shared: Service) -> None:
    assert problem(raw(shared, GET + headers))["status"] == 431


def test_a_body_that_nobody_reads_is_not_taken_for_a_request(shared: Service) -> None:
    # The answer comes before the body, which then never comes.
    with connect(shared.url) as link:
        link.sendall(GET + b"Content-Length: 10000000\r\n\r\n")
        head, _ = read_answer(link)
        assert b" 200 " in head and b"connection: close" in head
        link.sendall(SMUGGLED)
        assert read_all(link) == b""


def test_an_answer_to_a_body_that_is_refused_arrives(shared: Service) -> None:
    # The client reads only after it has sent everything.
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    size = 2**26
    answer = raw(shared, head + b"Content-Length: %d\r\n\r\n" % size + bytes(size))
    assert problem(answer)["status"] == 413


def test_trailers_do_not_become_headers(shared: Service) -> None:
    image = png(noise(1)[0])
    answer = raw(
        shared,
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n"
        b"Content-Type: text/plain\r\n\r\n" % (len(image), image),
    )
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_requests_in_a_row_are_answered_in_order(shared: Service) -> None:
    paths = ["/health/live", "/health/ready", "/health/live", "/nowhere"]
    sent = b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths)
    with connect(shared.url) as link:
        link.sendall(sent)
        bodies = [read_answer(link)[1] for _ in paths]
    assert [b"live" in body for body in bodies] == [True, False, True, False]
    assert b'"ready"' in bodies[1] and b"404" in bodies[3]


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_an_upgrade_that_is_not_offered_is_ignored(protocol: bytes, shared: Service) -> None:
    image = png(noise(1)[0])
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\nHTTP2-Settings: AAMAAABk\r\n"
    with connect(shared.url) as link:
        link.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            + wish % protocol
            + b"Content-Length: %d\r\n\r\n" % len(image)
            + image
            + GET
            + b"\r\n"
        )
        assert b" 200 " in read_answer(link)[0]
        assert b" 200 " in read_answer(link)[0]


def test_a_body_is_asked_for_only_when_it_is_wanted(shared: Service) -> None:
    image = png(noise(1)[0])
    for kind, wanted in ((b"image/png", True), (b"text/plain", False)):
        with connect(shared.url) as link:
            link.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, len(image))
            )
            if wanted:
                assert link.recv(25, 256) == b"HTTP/1.1 100 Continue\r\n\r\n"
                link.sendall(image)
                assert b" 200 " in read_answer(link)[0]
            else:
                head, _ = read_answer(link)
                assert b" 415 " in head and b"connection: close" in head


@pytest.mark.parametrize("target", [b"http://x", b"HTTP://x/", b"https://x?a"])
def test_absolute_targets_without_a_path(target: bytes, shared: Service) -> None:
    answer = raw(shared, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n" + CLOSE)
    # The page.
    assert answer.startswith(b"HTTP/1.1 200 ") and b"content-type: text/html" in answer
