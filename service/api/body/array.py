"""Reads preprocessed images from an ``.npy`` array."""

import io
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
    file = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(file)
        read: Any = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(file)
    except Exception as error:  # numpy raises whatever Python's own parser raises
        raise InvalidContent("the body is not an .npy file of version 1 or 2") from error
    # A bool is a number to Python, but not a size; repr() of a size beyond all arrays may fail.
    if not all(type(side) is int and abs(side) < 2**63 for side in shape):
        raise InvalidContent("the array has a shape that no array can have")
    found = f"{dtype!s:.40} {shape!s:.80}"
    if dtype != np.uint8 or fortran or shape[1:] != preprocessing.shape:
        wanted = ("N", *preprocessing.shape)
        raise InvalidContent(f"the array must be uint8 {wanted} in C order, not {found}")
    content = np.frombuffer(body, np.uint8, offset=file.tell())
    if len(content) != np.prod(shape, dtype=object):
        raise InvalidContent(f"the array holds {len(content)} bytes, its header says {shape}")
    pixels: Pixels = content.reshape(shape)
    return pixels
