"""Splits images into requests that a service accepts by default."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

# As many as the service runs at once by default, and half of the bytes that it accepts by default.
MAX_IMAGES = 64
MAX_BYTES = 16 * 2**20

T = TypeVar("T")


def batched(
    items: Iterable[T],
    size: Callable[[T], int],
    *,
    max_images: int = MAX_IMAGES,
    max_bytes: int = MAX_BYTES,
) -> Iterator[list[T]]:
    """Batches of items in their order.

    Args:
        items: images; taken one by one, so that only one batch is in memory.
        size: function that gives the size of an image in bytes.
        max_images: maximum number of images per batch.
        max_bytes: maximum number of bytes per batch; a larger image is a batch of its own.
    """
    batch: list[T] = []
    total = 0
    for item in items:
        added = size(item)
        if batch and (len(batch) == max_images or total + added > max_bytes):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += added
    if batch:
        yield batch
