"""Decodes the bytes of an image file, with every limit checked before anything is decoded."""

import warnings
from typing import cast

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from bundle.images.errors import DamagedImage, ImageError, ImageTooLarge, UnsupportedImage
from bundle.images.formats import TIFF_COMPRESSIONS, format_names
from bundle.images.limits import MeteredFile, check_before_opening, check_scans, check_strips
from bundle.text import describe_error

# About 7,000 x 7,000 pixels, 150 MB decoded.
MAX_PIXELS = 50_000_000

# The limit above decides how many pixels are too many, not Pillow's constant.
Image.MAX_IMAGE_PIXELS = None
# Damaged metadata does not concern the pixels, nor whoever reads the log. Set once, because filters that
# are set around a call are shared by all threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode_image(
    content: bytes, max_pixels: int = MAX_PIXELS, kept_side: int | None = None
) -> Image.Image:
    """Decode an image file; of an animation or a file of several images, the first.

    Args:
        content: content of the file.
        max_pixels: maximum number of pixels; read from the header, before memory is allocated.
        kept_side: number of pixels along each side that are enough. A JPEG is decoded at the smallest of
            1, 1/2, 1/4 and 1/8 of its size that keeps them. None to decode it in full.

    Returns:
        The image as it is stored: :meth:`bundle.Preprocessing.pixels` turns it upright and converts it.

    Raises:
        UnsupportedImage: if the format, or what the format holds, is not supported.
        DamagedImage: if the file is empty, damaged or incomplete.
        ImageTooLarge: if it has too many pixels or parts, so that it would take too long to decode.
    """
    if not content:
        raise DamagedImage("is empty")
    try:
        check_before_opening(content)
        image = Image.open(MeteredFile(content), formats=format_names())
        _check(image, content, max_pixels)
        if kept_side is not None and isinstance(image, JpegImageFile):
            image.draft(None, (kept_side, kept_side))
        image.load()
        return image
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        formats = ", ".join(format_names())
        raise UnsupportedImage(f"is not an image in a supported format: {formats}") from error
    except Exception as error:  # decoders raise many kinds of exceptions on damaged files
        reason = describe_error(error, first_line=True)
        raise DamagedImage(f"is damaged or incomplete: {reason}") from error


def _check(image: Image.Image, content: bytes, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"has {width} x {height} = {width * height:,} pixels; at most {max_pixels:,} are accepted"
        )
    if image.format == "TIFF":
        check_strips(len(cast(ImageFile, image).tile))
        compression = image.info.get("compression", "raw")
        if compression not in TIFF_COMPRESSIONS:
            raise UnsupportedImage(
                f"has the compression {compression}; convert it to PNG, or to TIFF with LZW or deflate"
            )
    if image.format in ("JPEG", "MPO"):
        check_scans(content)
