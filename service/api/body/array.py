"""Reads preprocessed images from an ``.npy`` array."""

import io
from functools import lru_cache
from typing import Any

import numpy as np

from bundle.preprocessing import Pixels, Preprocessing
from service.errors import InvalidContent


def read_array(body: bytes, preprocessing: Preprocessing) -> Pixels:
    """View an array without copying it; its header, which may claim anything, is checked first.

    Returns:
        ``(N, H, W, C)`` uint8.

    Raises:
        InvalidContent: if it is not what the preprocessing contract asks for.
    """
    header = body[: _header_size(body)]
    try:
        shape, fortran, dtype = _parse(header)
    except Exception as error:  # numpy raises whatever Python's own parser raises
        raise InvalidContent("the body is not an .npy file of version 1 or 2") from error
    # A bool is a number to Python, but not a size; repr() of a size beyond all arrays may fail.
    if not all(type(side) is int and abs(side) < 2**63 for side in shape):
        raise InvalidContent("the array has a shape that no array can have")
    found = f"{dtype!s:.40} {shape!s:.80}"
    if dtype != np.uint8 or fortran or shape[1:] != preprocessing.shape:
        wanted = ("N", *preprocessing.shape)
        raise InvalidContent(f"the array must be uint8 {wanted} in C order, not {found}")
    content = np.frombuffer(body, np.uint8, offset=len(header))
    if len(content) != np.prod(shape, dtype=object):
        raise InvalidContent(f"the array holds {len(content)} bytes, its header says {shape}")
    pixels: Pixels = content.reshape(shape)
    return pixels


def _header_size(body: bytes) -> int:
    """Bytes before the content of an array, as its first bytes say; any number if it is not one."""
    width = 2 if body[6:7] == b"\x01" else 4
    return 8 + width + int.from_bytes(body[8 : 8 + width], "little")


# Clients send arrays of few shapes, and reading a header takes Python's parser.
@lru_cache(32)
def _parse(header: bytes) -> tuple[tuple[Any, ...], bool, "np.dtype[Any]"]:
    file = io.BytesIO(header)
    version = np.lib.format.read_magic(file)
    read: Any = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    found: tuple[tuple[Any, ...], bool, np.dtype[Any]] = read(file)
    return found
