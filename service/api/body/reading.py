"""Reads the body of a request, compressed or not, and no more of it than is accepted."""

import asyncio
import io
import zlib
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from service.api.body.budget import reservation_of
from service.errors import InvalidContent, TooLarge, UnsupportedEncoding

T = TypeVar("T")

# What takes longer to parse than a thread to start.
LARGE = 64 * 2**10

_STEP = 64 * 2**10
_GZIP = zlib.MAX_WBITS | 16
# Each costs time, also if it is empty.
_MAX_MEMBERS = 16


def content_type(request: Request) -> str:
    """The media type of a request's body, in lower case and without parameters; empty if there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, limit: int) -> bytes:
    """Read the whole body, decompressed.

    Raises:
        TooLarge: as soon as more than ``limit`` bytes are announced, have arrived, or come out.
        UnsupportedEncoding: if it is compressed, but not with gzip.
        InvalidContent: if it is not what its encoding says.
        Overloaded: if there is no room for it beside the bodies of other requests.
    """
    encoding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise UnsupportedEncoding(
            f"unsupported content encoding {encoding[:40]}; send gzip, or the content as it is"
        )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    # One block of memory, which grows in place and goes back to the system as a whole.
    buffer = io.BytesIO()
    async for chunk in request.stream():
        if buffer.tell() + len(chunk) > limit:
            raise _too_large(limit)
        buffer.write(chunk)
    body = buffer.getvalue()
    if not encoding.endswith("gzip"):
        return body
    grow = reservation_of(request.scope).grow
    return await asyncio.to_thread(_decompress, body, limit, lambda size: grow(len(body) + size))


async def parse(function: Callable[[], T], size: int) -> T:
    """Run a function that parses a body of ``size`` bytes, in another thread if it is large."""
    return await asyncio.to_thread(function) if size > LARGE else function()


def _decompress(body: bytes, limit: int, grow: Callable[[int], None]) -> bytes:
    content = io.BytesIO()
    members = 1
    stream = zlib.decompressobj(_GZIP)
    try:
        for start in range(0, len(body), _STEP):
            data = body[start : start + _STEP]
            while data:
                if stream.eof:
                    stream, members = zlib.decompressobj(_GZIP), members + 1
                piece = stream.decompress(data, _STEP)
                data = stream.unused_data if stream.eof else stream.unconsumed_tail
                size = content.tell() + len(piece)
                if size > limit:
                    raise _too_large(limit)
                if members > _MAX_MEMBERS:
                    raise InvalidContent(f"the body has more than {_MAX_MEMBERS} gzip members")
                grow(size)
                content.write(piece)
    except zlib.error as error:
        raise InvalidContent("the body is not gzip") from error
    if not stream.eof:
        raise InvalidContent("the body is not gzip, or it ends too soon")
    return content.getvalue()


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than the {limit:,} bytes that are accepted")
