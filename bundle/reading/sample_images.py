"""Reads the sample images of a bundle."""

import io
import math
import zipfile
from typing import cast

import numpy as np
from numpy.lib import format as npy

from bundle.errors import BundleError
from bundle.files import SAMPLE_IMAGES
from bundle.preprocessing import Pixels, Preprocessing

MAX_SAMPLE_IMAGES = 1024
MAX_SAMPLE_BYTES = 2**30
_MEMBER = "images.npy"


def read_sample_images(content: bytes, preprocessing: Preprocessing) -> Pixels:
    """Read sample images from a file as :func:`numpy.savez_compressed` writes it.

    What the file claims about itself is checked before anything is unpacked.

    Args:
        content: bytes of the file.
        preprocessing: contract that determines height, width and channels.

    Returns:
        Images ``(N, H, W, C)`` uint8.

    Raises:
        BundleError: if the file does not hold such images.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.namelist() != [_MEMBER]:
                raise BundleError(f"{SAMPLE_IMAGES} must hold one array 'images' and nothing else")
            return _read_member(archive, preprocessing.shape)
    except BundleError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy's header parser share no base class
        raise BundleError(f"{SAMPLE_IMAGES} does not hold an array 'images': {error}") from error


def _read_member(archive: zipfile.ZipFile, shape: tuple[int, int, int]) -> Pixels:
    size = archive.getinfo(_MEMBER).file_size
    with archive.open(_MEMBER) as file:
        major, _ = npy.read_magic(file)
        if major != 1:
            raise BundleError(
                f"{SAMPLE_IMAGES}: the array has format version {major}; only version 1 is supported"
            )
        found, fortran, dtype = npy.read_array_header_1_0(file)
        if dtype != np.uint8 or fortran or found[1:] != shape or not found[0] > 0:
            raise BundleError(
                f"{SAMPLE_IMAGES}: images must be uint8 {('N', *shape)} with N at least 1, in C order,"
                f" not {dtype} {found}"
            )
        length = math.prod(found)
        if found[0] > MAX_SAMPLE_IMAGES or length > MAX_SAMPLE_BYTES:
            raise BundleError(
                f"{SAMPLE_IMAGES} claims {found[0]} images with {length} bytes in total; the limits are"
                f" {MAX_SAMPLE_IMAGES} images and {MAX_SAMPLE_BYTES} bytes"
            )
        if size != file.tell() + length:
            raise BundleError(
                f"{SAMPLE_IMAGES}: {length} bytes of images in a member of {size} bytes"
            )
        pixels = file.read(length)
    return cast(Pixels, np.frombuffer(bytearray(pixels), np.uint8).reshape(found))
