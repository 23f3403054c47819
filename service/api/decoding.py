"""Decodes image files to the pixels that the graphs take; limits are checked before decoding."""

import io

from PIL import Image, UnidentifiedImageError

from bundle.preprocessing import Pixels, Preprocessing
from bundle.text import describe_error
from service.errors import InvalidContent, ServiceError, TooLarge

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")

# The setting decides how many pixels are too many, not Pillow's constant.
Image.MAX_IMAGE_PIXELS = None


def decode_image(
    content: bytes, preprocessing: Preprocessing, max_pixels: int, name: str
) -> Pixels:
    """Decode one image file and apply the preprocessing contract.

    Args:
        content: content of the file.
        preprocessing: preprocessing contract of the bundle.
        max_pixels: maximum number of pixels; read from the header, before memory is allocated.
        name: name of the image in errors.

    Raises:
        InvalidContent: if it is empty, not an image, not in one of ``FORMATS``, or damaged.
        TooLarge: if it has too many pixels.
    """
    if not content:
        raise InvalidContent(f"{name} is empty")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_size(image, max_pixels, name)
        return preprocessing.pixels(image)
    except ServiceError:
        raise
    except UnidentifiedImageError as error:
        raise InvalidContent(
            f"{name} is not an image in a supported format: {', '.join(FORMATS)}"
        ) from error
    except Exception as error:  # decoders raise many kinds of exceptions on damaged files
        raise InvalidContent(
            f"{name} is damaged or incomplete: {describe_error(error, first_line=True)}"
        ) from error


def _check_size(image: Image.Image, max_pixels: int, name: str) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise TooLarge(
            f"{name} has {width} x {height} = {width * height:,} pixels; at most {max_pixels:,} are"
            " accepted"
        )
