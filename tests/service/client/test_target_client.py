import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.client import Client, ClientError, Retries
from tests.service.pictures import noise, png
from tests.service.running import Service, serving, settings_for

FILES = [png(image) for image in noise(6)]


def test_everything_that_it_can(bundle_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(FILES[0])
    with (
        serving(settings_for(bundle_path, tmp_path, commit_every=4)) as service,
        Client(service.url + "/") as client,
    ):
        assert client.health().status == "ready"
        result = client.predict([path, FILES[1]])
        assert (result.version, len(result.predictions)) == (0, 2)
        assert client.predict([path], version=0).predictions == result.predictions[:1]
        first = client.adapt(FILES[:4], key="one")
        assert first.committed is not None and first.committed.number == 1
        assert client.adapt(FILES[:4], key="one") == first
        assert client.adapt(FILES[4:]).pending == 2
        assert [v.number for v in client.versions().versions] == [0, 1]
        assert client.rollback().serving == 0
        assert client.promote(1).serving == 1
        assert client.rollback(0).serving == 0
        assert client.freeze().frozen
        assert not client.unfreeze().frozen
        assert client.promote(1).serving == 1
        assert client.reset().serving == 0


@pytest.mark.parametrize(
    ("ask", "status", "detail"),
    [
        (lambda c: c.predict([b"x"]), 422, "image 0 is not an image"),
        (lambda c: c.predict([FILES[0]], version=9), 404, "has no version 9"),
        (lambda c: c.predict([]), 400, "the body is empty"),
        (lambda c: c.rollback(), 409, "nothing to roll back to"),
        (lambda c: c.predict([Path("nowhere.png")]), None, "cannot read nowhere.png: No such file"),
    ],
)
def test_what_the_service_refuses(
    ask: Callable[[Client], Any], status: int | None, detail: str, shared: Service
) -> None:
    with Client(shared.url) as client, pytest.raises(ClientError, match=detail) as refused:
        ask(client)
    assert refused.value.status == status


def test_online_adaptation(bundle_path: Path, tmp_path: Path) -> None:
    with (
        serving(settings_for(bundle_path, tmp_path, commit_every=4)) as service,
        Client(service.url) as client,
    ):
        tried = client.adapt(FILES[:4], dry_run=True)
        assert (tried.admitted, tried.committed) == (4, None)
        result = client.adapt(FILES[:4], predict=True)
        assert result.predictions is not None and len(result.predictions) == 4
        assert result.batch is not None
        assert client.batch(result.batch).version == result.serving == 1
        assert client.evidence(1).verdict == "undecided"
        with pytest.raises(ClientError, match="not one whose label is asked for"):
            client.evidence(1, {"x": "left"})
        assert client.set_mode("shadow", reason="holidays").mode == "shadow"
        assert client.promote(0, reason="as it was").serving == 0
        assert [domain.number for domain in client.domains().domains] == [0]
        assert client.drift().domain == 0
        reasons = [event.reason for event in client.events().events]
        assert reasons[-2:] == ["holidays", "as it was"]


@pytest.mark.parametrize("name", ["other", "a/b?c#d", "../default"])
def test_a_target_is_a_name_and_not_a_path(name: str, shared: Service) -> None:
    with Client(shared.url, target=name) as client, pytest.raises(ClientError) as refused:
        client.versions()
    assert refused.value.status == 404


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with Client(url) as client, pytest.raises(ClientError, match=f"cannot reach {url}: "):
        client.health()


@pytest.mark.parametrize("url", ["nonsense", "http://[", "ftp://host"])
def test_what_is_no_url(url: str) -> None:
    with Client(url) as client, pytest.raises(ClientError) as refused:
        client.health()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (200, b"<html>", "does not answer like this service"),
        (200, b'{"hello": 1}', "does not answer like this service"),
        (502, b"<html>", "the service answered 502 Bad Gateway"),
        (500, b"[]", "the service answered 500 Internal Server Error"),
    ],
)
def test_someone_else_there(status: int, content: bytes, message: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content))
    with (
        httpx.Client(transport=transport) as http,
        Client("http://other", http=http) as client,
        pytest.raises(ClientError, match=message),
    ):
        client.versions()


def test_the_client_loads_neither_runtime_nor_server() -> None:
    heavy = ("fastapi", "numpy", "onnx", "onnxruntime", "PIL", "safetensors", "sqlalchemy", "torch")
    code = f"import sys, service.client; print(*sorted(set({heavy!r}) & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "\n"


def answering(*responses: httpx.Response | Exception) -> tuple[httpx.Client, list[httpx.Request]]:
    """An HTTP client that gets these answers in turn, and the requests that it sends."""
    left = list(responses)
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return httpx.Client(transport=httpx.MockTransport(answer)), sent


TARGET = {"target": "default", "serving": 0, "frozen": False, "pending": 0, "versions": []}
BUSY = httpx.Response(429, headers={"Retry-After": "7"}, json={"detail": "queue is full"})
AWAY = httpx.ConnectError("refused")


def test_a_busy_service_is_asked_again() -> None:
    pauses: list[float] = []
    lines: list[str] = []
    retries = Retries(sleep=pauses.append, announce=lines.append)
    http, _ = answering(BUSY, AWAY, httpx.Response(503), httpx.Response(200, json=TARGET))
    with http, Client("http://service", http=http, retries=retries) as client:
        assert client.versions().serving == 0
    assert pauses == [7.0, 1.0, 2.0]
    assert lines[0] == "queue is full; trying again in 7 s"
    assert lines[1] == "cannot reach http://service: refused; trying again in 1 s"


def test_pauses_are_bounded_and_end() -> None:
    pauses: list[float] = []
    late = httpx.Response(503, headers={"Retry-After": "86400"})
    http, sent = answering(*[late] * 4)
    retries = Retries(attempts=4, longest=20.0, sleep=pauses.append)
    with (
        http,
        Client("http://service", http=http, retries=retries) as client,
        pytest.raises(ClientError, match="503"),
    ):
        client.versions()
    assert (pauses, len(sent)) == ([20.0] * 3, 4)


def test_a_date_says_when_to_try_again() -> None:
    pauses: list[float] = []
    past = httpx.Response(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
    future = httpx.Response(503, headers={"Retry-After": "Wed, 21 Oct 2415 07:28:00 GMT"})
    http, _ = answering(past, future, httpx.Response(200, json=TARGET))
    with http, Client("http://s", http=http, retries=Retries(sleep=pauses.append)) as client:
        client.versions()
    assert pauses == [0.5, 30.0]


@pytest.mark.parametrize(
    "ask", [lambda c: c.rollback(), lambda c: c.adapt([b""]), lambda c: c.promote(1)]
)
def test_what_must_not_count_twice_is_sent_once(ask: Callable[[Client], Any]) -> None:
    http, sent = answering(AWAY, AWAY)
    retries = Retries(sleep=lambda seconds: None)
    with http, Client("http://s", http=http, retries=retries) as client, pytest.raises(ClientError):
        ask(client)
    assert len(sent) == 1


def test_an_answer_about_the_request_is_final() -> None:
    http, sent = answering(httpx.Response(404, json={"detail": "no target"}))
    retries = Retries(sleep=lambda seconds: None)
    with (
        http,
        Client("http://service", http=http, retries=retries) as client,
        pytest.raises(ClientError, match="no target"),
    ):
        client.versions()
    assert len(sent) == 1


def test_many_images_are_sent_in_several_requests(bundle_path: Path, tmp_path: Path) -> None:
    """More than the client sends at once, to a service that accepts fewer still."""
    files = [png(image) for image in noise(150, 3)]
    with (
        serving(settings_for(bundle_path, tmp_path, max_images=20)) as service,
        Client(service.url) as client,
    ):
        result = client.predict(files)
        single = [client.predict([file]).predictions[0] for file in files[::29]]
        assert [p.label for p in result.predictions[::29]] == [p.label for p in single]
        assert len(result.predictions) == 150
        for one, other in zip(result.predictions[::29], single, strict=True):
            assert one.probability == pytest.approx(other.probability, abs=1e-5)
        files[140] = b"broken"
        with pytest.raises(ClientError, match="image 140 is not an image"):
            client.predict(files)


def test_large_files_are_sent_in_several_requests(shared: Service, tmp_path: Path) -> None:
    """Three files of 15 MB, padded behind the image, of which the service accepts two at once."""
    files = []
    for number, image in enumerate(noise(3)):
        path = tmp_path / f"{number}.png"
        path.write_bytes(png(image) + bytes(15_000_000))
        files.append(path)
    with Client(shared.url) as client:
        assert len(client.predict(files).predictions) == 3


def test_errors_name_their_kind(shared: Service) -> None:
    with Client(shared.url) as client, pytest.raises(ClientError) as unknown:
        client.predict([png(noise(1)[0])], version=99)
    assert (unknown.value.status, unknown.value.kind) == (404, "unknown-version")
    with Client(f"{shared.url}/nowhere") as client, pytest.raises(ClientError) as absent:
        client.versions()
    assert (absent.value.status, absent.value.kind) == (404, "")
