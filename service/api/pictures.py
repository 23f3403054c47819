"""Images in answers."""

import base64
import io

from PIL import Image

from bundle.preprocessing import Pixels


def png(pixels: Pixels) -> str:
    """An image ``(H, W, C)`` as a PNG file in base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
