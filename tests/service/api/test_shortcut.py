"""The shortcut to predictions answers as the framework's way does."""

import httpx
import pytest

from tests.service.pictures import NPY, noise, npy
from tests.service.running import Service

# A parameter with its default value makes a request go the usual way.
USUAL = "/predict?top_k=5"
# An answer that is given before the body has arrived closes its connection.
VARIES = {"date", "x-request-id", "content-length", "connection"}


def headers_of(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in VARIES}


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (npy(noise(3, 0)), NPY["content-type"]),
        (b"", "image/png"),
        (b"no image", "image/png"),
        (b"{", "application/json"),
        (b"text", "text/plain"),
    ],
)
def test_both_ways_give_the_same_answer(shared: Service, content: bytes, content_type: str) -> None:
    sent = {"Content-Type": content_type}
    short, usual = (
        shared.http.post(path, content=content, headers=sent) for path in ("/predict", USUAL)
    )
    assert short.status_code == usual.status_code
    assert headers_of(short) == headers_of(usual)
    found, expected = short.json(), usual.json()
    assert found.pop("request_id", None) != expected.pop("request_id", "none")
    assert found == expected


def test_requests_are_counted_by_their_route(shared: Service) -> None:
    def count() -> float:
        labels = {"route": "/predict", "method": "POST", "status": "2xx"}
        value = shared.resources.metrics.registry.get_sample_value(
            "rn_http_request_seconds_count", labels
        )
        return value or 0.0

    before = count()
    shared.predict(noise(1, 1))
    shared.post(USUAL, content=npy(noise(1, 1)), headers=NPY)
    shared.http.get("/health/live")  # the loop counts a request before it takes the next
    assert count() == before + 2
