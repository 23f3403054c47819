"""Images as the body of a request."""

import io

import numpy as np

from bundle.preprocessing import Pixels

HEADERS = {"Content-Type": "application/x-npy"}


def npy_bytes(images: Pixels) -> bytes:
    """Images ``(N, H, W, C)`` as an array file."""
    content = io.BytesIO()
    np.save(content, images)
    return content.getvalue()
