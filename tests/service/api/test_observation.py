"""Identifiers of requests."""

import re
import socket

import pytest

from tests.service.pictures import NPY, noise, npy
from tests.service.running import Service

MADE = re.compile(r"[0-9a-f]{32}")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("given", ["a", "A-1_b.c", "x" * 128])
def test_the_identifier_of_the_client_is_echoed(shared: Service, given: str) -> None:
    for path in ("/health/live", "/nowhere", "/docs"):
        answer = shared.http.get(path, headers={"X-Request-Id": given})
        assert answer.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize(
    "given", ["", "x" * 129, "a b", 'a"b', "a/b", "é".encode().decode("latin-1")]
)
def test_an_identifier_that_is_not_sane_is_replaced(shared: Service, given: str) -> None:
    answer = shared.http.get("/health/live", headers={b"X-Request-Id": given.encode("latin-1")})
    assert MADE.fullmatch(answer.headers["x-request-id"])


def test_identifiers_differ(shared: Service) -> None:
    made = {shared.http.get("/health/live").headers["x-request-id"] for _ in range(20)}
    assert len(made) == 20


def test_problems_name_the_request(shared: Service) -> None:
    headers = {"X-Request-Id": "mine"}
    for answer in (
        shared.http.post("/predict", content=b"x", headers=headers),
        shared.http.get("/nowhere", headers=headers),
        shared.http.get("/versions?limit=x", headers=headers),
    ):
        if answer.status_code >= 400:
            assert answer.json()["request_id"] == "mine"


def test_an_internal_error_names_the_request(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("service.api.rest.operations._describe", broken)
    answer = service.http.get("/health/ready", headers={"X-Request-Id": "mine"})
    assert (answer.status_code, answer.json()["request_id"]) == (500, "mine")
    assert answer.headers.get_list("x-request-id") == ["mine"]
    text = service.http.get("/metrics").text
    assert 'method="GET",route="/health/ready",status="5xx"} 1.0' in text.replace(
        'route="/health/ready",method="GET"', 'method="GET",route="/health/ready"'
    )


def test_what_is_not_http_is_answered_with_an_identifier(shared: Service) -> None:
    host, port = shared.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as link:
        link.sendall(b"nonsense\r\n\r\n")
        answer = link.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert re.search(r"x-request-id: ([0-9a-f]{32})\r\n.*\"request_id\": \"\1\"", answer, re.S)


def test_a_trace_is_passed_on(shared: Service) -> None:
    answer = shared.http.get("/health/live", headers={"traceparent": TRACEPARENT})
    assert answer.headers["traceparent"] == TRACEPARENT
    answer = shared.http.get("/health/live", headers={"traceparent": "nonsense"})
    assert "traceparent" not in answer.headers


def test_predictions_have_identifiers(shared: Service) -> None:
    answer = shared.http.post("/predict", content=npy(noise(1)), headers=NPY)
    assert MADE.fullmatch(answer.headers["x-request-id"])
