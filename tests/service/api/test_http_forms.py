"""Requests in forms that browsers, proxies and health checks send."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.pictures import noise, png
from tests.service.running import Service, serving, settings_for
from tests.service.server.sockets import raw

PATHS = (
    "/",
    "/docs",
    "/events",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/openapi.json",
    "/versions",
)


@pytest.fixture(scope="module")
def prefixed(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("prefixed")
    with serving(settings_for(bundle_path, folder, root_path="/rn")) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_head_is_answered_like_get(path: str, shared: Service) -> None:
    got, head = shared.http.get(path), shared.http.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"] if got.content else True


def test_head_of_an_operation_that_has_no_get_is_an_error(shared: Service) -> None:
    assert shared.http.head("/predict").status_code == 405


def test_an_absolute_target_is_answered(shared: Service) -> None:
    answer = raw(
        shared,
        b"GET http://localhost:1/health/live HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"status":"live"}')


def test_http_1_0_is_answered(shared: Service) -> None:
    image = png(noise(1)[0])
    head = (
        f"POST /predict HTTP/1.0\r\nContent-Type: image/png\r\nContent-Length: {len(image)}\r\n\r\n"
    )
    answer = raw(shared, head.encode() + image)
    assert b" 200 OK" in answer and b"content-length: " in answer.lower()


def test_the_documentation_needs_no_internet(shared: Service) -> None:
    page = shared.http.get("/docs").text
    assert not re.search(r"https?://", page)
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) >= 2
    for source in sources:
        assert shared.http.get(source).status_code == 200


def test_links_begin_with_the_path_of_the_proxy(prefixed: Service) -> None:
    # The proxy has removed the prefix from these requests.
    page = prefixed.http.get("/docs").text
    assert "'/rn/openapi.json'" in page and "'/openapi.json'" not in page
    assert prefixed.http.get("/versions").status_code == 200
    # One that does not remove it works, too.
    assert prefixed.http.get("/rn/versions").status_code == 200
