"""Writes an image as a file."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """An image ``(H, W, C)`` of one channel or three as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()


def encode_png_text(pixels: NDArray[np.uint8]) -> str:
    """The same in base64, for JSON."""
    return base64.b64encode(encode_png(pixels)).decode()
