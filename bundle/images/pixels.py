"""Pixels as a viewer shows them: upright, 8 bits deep, and without transparency."""

from typing import Any, Literal

import numpy as np
from PIL import Image

from bundle.images.errors import UnsupportedImage

ORIENTATION = 0x0112
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339
UNSIGNED, UNDEFINED = 1, 4
WHITE_IS_ZERO = 0
BAND_PIXELS = 2**18

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def displayed(image: Image.Image, mode: Literal["L", "RGB"]) -> Image.Image:
    """An image as a viewer shows it.

    Pixels of more than 8 bits are scaled by their depth, transparent pixels are composed over white, and
    the image is turned as its orientation says.

    Args:
        image: decoded image.
        mode: ``"L"`` for one channel of luminance, ``"RGB"`` for three.

    Raises:
        UnsupportedImage: if its pixels are signed, floating-point, deeper than 16 bits, or of a colour
            space without a conversion.
    """
    # Small copies first: turning an image that is 8 bits deep is cheaper.
    return upright(_opaque(_eight_bits(image), mode), _orientation(image))


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn an image by a value of the EXIF tag Orientation; 1 and unknown values leave it as it is."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    # Pillow turns a TIFF itself when it decodes it from bytes.
    if image.format == "TIFF":
        return 1
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # metadata may be anything, and no viewer minds
        return 1
    return value if isinstance(value, int) else 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image with its one deep channel scaled to 8 bits; images of 8 bits stay as they are."""
    tags: Any = getattr(image, "tag_v2", {})
    formats = tags.get(SAMPLE_FORMAT, (UNSIGNED,))
    if image.mode == "F" or 3 in formats:
        raise UnsupportedImage("has floating-point pixels; convert it to 8 or 16 bits per channel")
    if not set(formats) <= {UNSIGNED, UNDEFINED}:
        raise UnsupportedImage("has signed pixels; convert it to unsigned ones of 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    if image.mode == "I" and image.format != "PPM":
        raise UnsupportedImage("has 32-bit pixels; convert it to 8 or 16 bits per channel")
    values = np.asarray(image).astype(np.int64)
    bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
    scaled = (values >> (bits - 8)).astype(np.uint8)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        scaled = 255 - scaled
    key = image.info.get("transparency")
    if isinstance(key, int):
        scaled[values == key] = 255
    return Image.fromarray(scaled)


def _opaque(image: Image.Image, mode: Literal["L", "RGB"]) -> Image.Image:
    """The image in a mode without transparency, composed over white."""
    try:
        if not image.has_transparency_data:
            # Converting to the same mode would copy the image.
            return image if image.mode == mode else image.convert(mode)
        return _over_white(image, mode)
    except ValueError as error:
        raise UnsupportedImage(
            f"has colours in the space {image.mode}, which is not supported; convert it to RGB"
        ) from error


def _over_white(image: Image.Image, mode: Literal["L", "RGB"]) -> Image.Image:
    """The image composed over white, in bands: whole copies with transparency would fill the memory."""
    width, height = image.size
    found = Image.new(mode, image.size)
    rows = max(1, BAND_PIXELS // width)
    for top in range(0, height, rows):
        place = (0, top, width, min(top + rows, height))
        colours = image.crop(place).convert("RGBA")
        white = Image.new("RGBA", colours.size, (255, 255, 255, 255))
        found.paste(Image.alpha_composite(white, colours).convert(mode), place)
    return found
