"""Formats of image files: which are supported, and which would be with a plug-in."""

import os
from functools import cache
from importlib.util import find_spec

from PIL import features

from bundle.extras import install_command

_SUFFIXES = {
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jpe", ".jpeg", ".jpg"),
    "PNG": (".png",),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
_AVIF = (".avif",)
_HEIF = (".heic", ".heif", ".hif")

# Compressions of TIFF in which photographs and scans are stored. Decoders of others, such as fax, write a
# line to standard error for every damaged row of a file that may claim millions.
TIFF_COMPRESSIONS = frozenset(
    (
        "raw",
        "jpeg",
        "lzma",
        "packbits",
        "tiff_adobe_deflate",
        "tiff_deflate",
        "tiff_lzw",
        "webp",
        "zstd",
    )
)


@cache
def supported_suffixes() -> dict[str, tuple[str, ...]]:
    """Suffixes of file names by the format's name in Pillow, for the formats that are supported here.

    AVIF needs a Pillow that was built with it, HEIF the plug-in of the extra ``heif``.
    """
    found = dict(_SUFFIXES)
    if features.check("avif"):
        found["AVIF"] = _AVIF
    if find_spec("pillow_heif") is not None:
        from pillow_heif import register_heif_opener

        register_heif_opener()
        found["HEIF"] = _HEIF
    return found


def format_names() -> tuple[str, ...]:
    """Names of the supported formats, sorted."""
    return tuple(sorted(supported_suffixes()))


def is_image_name(name: str) -> bool:
    """Whether a file name has the suffix of a supported format."""
    suffix = os.path.splitext(name)[1].lower()
    return any(suffix in suffixes for suffixes in supported_suffixes().values())


def plugin_hint(suffix: str) -> str | None:
    """The installation that files with a suffix need to be read; None if nothing would help."""
    if suffix in _HEIF:
        return f"needs pillow-heif: {install_command('heif')}"
    return "needs a Pillow with AVIF: pip install 'pillow>=11.3'" if suffix in _AVIF else None
