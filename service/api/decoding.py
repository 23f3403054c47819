"""Image files to the pixels that the graphs take, with limits checked before anything is decoded."""

import io

from PIL import Image, UnidentifiedImageError

from bundle.preprocessing import Pixels, Preprocessing
from bundle.text import describe_error
from service.api.problems import ServiceError, TooLarge, Unprocessable

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")

# The setting decides how many pixels are too many, not Pillow's constant.
Image.MAX_IMAGE_PIXELS = None


def decode_image(
    content: bytes, preprocessing: Preprocessing, max_pixels: int, name: str
) -> Pixels:
    """Decode one image file and apply the preprocessing contract.

    Args:
        content: the file.
        preprocessing: the contract of the bundle.
        max_pixels: the size is read from the header, and refused before memory is taken for it.
        name: what to call the image in an error.

    Raises:
        Unprocessable: if it is empty, not an image, of a format not in ``FORMATS``, or damaged.
        TooLarge: if it has too many pixels.
    """
    if not content:
        raise Unprocessable(f"{name} is empty")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_size(image, max_pixels, name)
        return preprocessing.pixels(image)
    except ServiceError:
        raise
    except UnidentifiedImageError as error:
        raise Unprocessable(
            f"{name} is not an image in a format that is read here: {', '.join(FORMATS)}"
        ) from error
    except Exception as error:  # the decoders raise whatever a damaged file makes of them
        raise Unprocessable(
            f"{name} is damaged or incomplete: {describe_error(error, first_line=True)}"
        ) from error


def _check_size(image: Image.Image, max_pixels: int, name: str) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise TooLarge(
            f"{name} has {width} x {height} = {width * height:,} pixels; at most {max_pixels:,} are"
            " accepted"
        )
