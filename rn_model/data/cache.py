"""Cache of preprocessed images in memory that DataLoader workers share."""

import math
import mmap

import numpy as np

from bundle.preprocessing import Pixels
from rn_model.data.errors import DataError


class PixelCache:
    """Images by index, kept from when they are first read.

    Processes forked afterwards fill and read the same memory. A spawned process starts with an empty
    cache of its own.

    Args:
        count: number of images.
        shape: shape of each image, ``(H, W, C)``.

    Raises:
        DataError: if there is not enough memory.
    """

    def __init__(self, count: int, shape: tuple[int, int, int]) -> None:
        self._shape = (count, *shape)
        size = math.prod(self._shape)
        # Anonymous memory, because /dev/shm is small in containers; untouched pages use none.
        try:
            memory = mmap.mmap(-1, max(1, size + count))
        except OSError as error:
            raise DataError(
                f"not enough memory to cache {count} images ({size / 2**30:.1f} GiB); disable this"
                " with cache: false"
            ) from error
        self._pixels: Pixels = np.frombuffer(memory, np.uint8, size).reshape(self._shape)
        self._known = np.frombuffer(memory, np.uint8, count, offset=size)

    def __reduce__(self) -> tuple[type["PixelCache"], tuple[int, tuple[int, ...]]]:
        return PixelCache, (self._shape[0], self._shape[1:])

    def get(self, index: int) -> Pixels | None:
        """The image ``(H, W, C)``, or None if it is not in the cache."""
        return self._pixels[index] if self._known[index] else None

    def put(self, index: int, pixels: Pixels) -> None:
        """Store an image ``(H, W, C)``."""
        self._pixels[index] = pixels
        self._known[index] = 1
