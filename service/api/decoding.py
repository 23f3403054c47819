"""Decodes the image files of a request, by the reader that training uses too."""

from bundle.images.errors import ImageError, ImageTooLarge
from bundle.preprocessing import Pixels, Preprocessing
from service.errors import InvalidContent, TooLarge


def decode_image(
    content: bytes, preprocessing: Preprocessing, max_pixels: int, name: str
) -> Pixels:
    """Decode one image file and apply the preprocessing contract.

    Args:
        content: content of the file.
        preprocessing: preprocessing contract of the bundle.
        max_pixels: maximum number of pixels.
        name: name of the image in errors.

    Raises:
        InvalidContent: if it is empty, not a supported image, or damaged.
        TooLarge: if it has too many pixels, or would take too long to decode.
    """
    try:
        return preprocessing.read(content, max_pixels)
    except ImageTooLarge as error:
        raise TooLarge(f"{name} {error}") from error
    except ImageError as error:
        raise InvalidContent(f"{name} {error}") from error
