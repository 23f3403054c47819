"""Images in the forms in which people send them."""

import base64
import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from bundle import Pixels
from tests.contracts import SMALL

NPY = {"content-type": "application/x-npy"}


def noise(count: int, seed: int = 1) -> Pixels:
    """Images that are normal for the bundle of these tests, ``(N, 8, 6, 1)``."""
    shape = (count, *SMALL.preprocessing.shape)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def flat(count: int, seed: int = 1, level: int = 250) -> Pixels:
    """Images of another domain: nearly uniform, all different."""
    generator = np.random.default_rng(seed)
    shape = (count, *SMALL.preprocessing.shape)
    return generator.integers(level - 4, level + 5, shape, dtype=np.uint8)


def png(pixels: Pixels, form: str = "PNG") -> bytes:
    """One image ``(H, W, 1)`` as a file, without loss unless the format loses."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(buffer, form)
    return buffer.getvalue()


def npy(images: Pixels) -> bytes:
    """Images as an array file."""
    buffer = io.BytesIO()
    np.save(buffer, images)
    return buffer.getvalue()


def parts(contents: Sequence[bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    """Files of a multipart form."""
    return [("file", (f"{index}.png", content)) for index, content in enumerate(contents)]


def in_json(contents: Sequence[bytes]) -> dict[str, list[str]]:
    """The JSON body that carries image files."""
    return {"images": [base64.b64encode(content).decode() for content in contents]}


def huge_png(side: int) -> bytes:
    """A valid start of a PNG file that claims ``side`` x ``side`` pixels in a few bytes."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 10_000)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", data)
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
