import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.client import Client, ClientError
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
