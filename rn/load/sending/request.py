"""A request as the bytes that are sent: made once, sent many times."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from rn.load.errors import LoadError


@dataclass(frozen=True)
class Address:
    """Where requests are sent.

    Attributes:
        host: name or address of the server.
        port: its port.
        tls: how to encrypt; None for plain HTTP.
        path: path of the URL, without a slash at its end.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = field(default=None, compare=False)
    path: str = ""


@dataclass(frozen=True)
class Payload:
    """What a request carries.

    Attributes:
        body: the body.
        content_type: its media type.
        images: number of images in it.
        headers: further headers.
    """

    body: bytes
    content_type: str
    images: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)


def parse_url(url: str) -> Address:
    """The address of a URL.

    Raises:
        LoadError: if it is not an HTTP URL.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise LoadError(f"{url} is not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LoadError(f"{url} is not a URL: expected http://HOST:PORT or https://HOST")
    secure = parts.scheme == "https"
    return Address(
        parts.hostname,
        port or (443 if secure else 80),
        ssl.create_default_context() if secure else None,
        parts.path.rstrip("/"),
    )


def post(address: Address, path: str, payload: Payload) -> bytes:
    """The bytes of a POST request to a path below the address."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    headers = {
        "Host": f"{host}:{address.port}",
        "User-Agent": "rn-bench",
        "Accept": "*/*",
        "Content-Type": payload.content_type,
        "Content-Length": str(len(payload.body)),
        **payload.headers,
    }
    lines = [f"POST {address.path}{path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + payload.body
