"""Preprocessed images in memory that loader processes share."""

import math
import mmap

import numpy as np

from bundle.preprocessing import Pixels
from rn_model.data.errors import DataError


class PixelCache:
    """Images by number, kept from their first reading on.

    Processes that are forked afterwards fill and read the same memory. In one that is spawned the
    cache is empty at first.

    Args:
        count: number of images.
        shape: of each, ``(H, W, C)``.

    Raises:
        DataError: if there is not as much memory.
    """

    def __init__(self, count: int, shape: tuple[int, int, int]) -> None:
        self._shape = (count, *shape)
        size = math.prod(self._shape)
        # Anonymous, for /dev/shm is small in containers; untouched pages take no memory.
        try:
            memory = mmap.mmap(-1, max(1, size + count))
        except OSError as error:
            raise DataError(
                f"no memory for {count} images of {size / 2**30:.1f} GiB: cache: false keeps none"
            ) from error
        self._pixels: Pixels = np.frombuffer(memory, np.uint8, size).reshape(self._shape)
        self._known = np.frombuffer(memory, np.uint8, count, offset=size)

    def __reduce__(self) -> tuple[type["PixelCache"], tuple[int, tuple[int, ...]]]:
        return PixelCache, (self._shape[0], self._shape[1:])

    def get(self, index: int) -> Pixels | None:
        """The image ``(H, W, C)``, or None if it has not been put in."""
        return self._pixels[index] if self._known[index] else None

    def put(self, index: int, pixels: Pixels) -> None:
        """Keep an image."""
        self._pixels[index] = pixels
        self._known[index] = 1
