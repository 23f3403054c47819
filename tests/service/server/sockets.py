"""Requests written byte by byte to a real socket."""

import json
import select
import socket
from typing import Any

from tests.service.running import Service

LONG = 30


def connect(url: str) -> socket.socket:
    """A connection to a service."""
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=LONG)


def read_all(link: socket.socket) -> bytes:
    """Everything until the service closes the connection."""
    return b"".join(iter(lambda: link.recv(65536), b""))


def read_answer(link: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one answer that says its length, and nothing beyond."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = link.recv(1)
        assert byte, head
        head += byte
    length = next(
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    body = b""
    while len(body) < length:
        body += link.recv(length - len(body))
    return head, body


def raw(service: Service, request: bytes) -> bytes:
    """What a request is answered with until the service closes the connection."""
    with connect(service.url) as link:
        link.sendall(request)
        return read_all(link)


def trickle(link: socket.socket) -> bytes:
    """Send one byte after another until there is an answer, and read it to its end."""
    while not select.select([link], [], [], 0.02)[0]:
        link.sendall(b"x")
    return read_all(link)


def problem(answer: bytes) -> dict[str, Any]:
    """The problem that an answer holds; it is the last of its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower(), answer
    assert b"\r\ncontent-type: application/problem+json" in head.lower(), answer
    content: dict[str, Any] = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % content["status"])
    return content
