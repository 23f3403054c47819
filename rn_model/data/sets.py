"""Image sets, read by index through the preprocessing contract."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels, Preprocessing
from rn_model.data.cache import PixelCache

Indices = NDArray[np.int64]


class ImageSet(Protocol):
    """Images of one domain; can be pickled and read by several processes at once."""

    @property
    def name(self) -> str:
        """Display name."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes; None if there are no labels."""

    @property
    def labels(self) -> Indices | None:
        """Indices into ``classes``, ``(N,)``; None if unknown."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file names and sizes (or the pixels) and the labels."""

    def __len__(self) -> int: ...

    def read(self, indices: Sequence[int]) -> Pixels:
        """Preprocessed images ``(n, H, W, C)``, uint8.

        Raises:
            DataError: if an image cannot be read; the message names it.
        """

    def through(self, preprocessing: Preprocessing) -> "ImageSet":
        """The same images, read through another preprocessing contract."""


class Pictures(Protocol):
    """Stored images, before preprocessing."""

    def __len__(self) -> int: ...

    def pixels(self, index: int, preprocessing: Preprocessing) -> Pixels:
        """One image ``(H, W, C)``, preprocessed by the contract."""

    def describe(self, indices: Indices) -> "hashlib._Hash":
        """SHA-256 that identifies these images."""


@dataclass(frozen=True, eq=False)
class PictureSet:
    """A selection of stored images, with their classes.

    Attributes:
        name: display name.
        pictures: the stored images.
        indices: selected indices into ``pictures``, ``(N,)``.
        labels: indices into ``classes``, ``(N,)``; None if unknown.
        classes: names of the classes; None if unknown.
        preprocessing: contract by which the images are read.
        cache: images already read, by index into ``pictures``; None to read them again each time.
    """

    name: str
    pictures: Pictures
    indices: Indices
    labels: Indices | None
    classes: tuple[str, ...] | None
    preprocessing: Preprocessing
    cache: PixelCache | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the images and labels."""
        digest = self.pictures.describe(self.indices)
        if self.labels is not None:
            digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def read(self, indices: Sequence[int]) -> Pixels:
        """Read preprocessed images, ``(n, H, W, C)`` uint8."""
        pixels = np.empty((len(indices), *self.preprocessing.shape), dtype=np.uint8)
        for place, index in enumerate(indices):
            pixels[place] = self._pixels(int(self.indices[index]))
        return pixels

    def through(self, preprocessing: Preprocessing) -> "PictureSet":
        """The same images, read through another preprocessing contract."""
        if preprocessing == self.preprocessing:
            return self
        cache = self.cache and PixelCache(len(self.pictures), preprocessing.shape)
        return replace(self, preprocessing=preprocessing, cache=cache)

    def take(self, places: Indices) -> Self:
        """A subset of the images, by index; the cache is shared."""
        labels = None if self.labels is None else self.labels[places]
        return replace(self, indices=self.indices[places], labels=labels)

    def _pixels(self, index: int) -> Pixels:
        if self.cache is None:
            return self.pictures.pixels(index, self.preprocessing)
        pixels = self.cache.get(index)
        if pixels is None:
            pixels = self.pictures.pixels(index, self.preprocessing)
            self.cache.put(index, pixels)
        return pixels


@dataclass(frozen=True, eq=False)
class JoinedSet:
    """Concatenation of image sets with the same classes."""

    parts: tuple[ImageSet, ...]

    @property
    def name(self) -> str:
        """Display names of all parts."""
        return " + ".join(part.name for part in self.parts)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, which all parts share; None if there are no labels."""
        return self.parts[0].classes

    @cached_property
    def labels(self) -> Indices | None:
        """Labels of all parts, ``(N,)``; None if any part has none."""
        known = [part.labels for part in self.parts if part.labels is not None]
        return np.concatenate(known) if len(known) == len(self.parts) else None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the fingerprints of all parts."""
        return hashlib.sha256("".join(p.fingerprint for p in self.parts).encode()).hexdigest()

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def read(self, indices: Sequence[int]) -> Pixels:
        """Read preprocessed images, ``(n, H, W, C)`` uint8."""
        begins = np.cumsum([0, *map(len, self.parts)])
        owners = np.searchsorted(begins, indices, side="right") - 1
        read = [
            self.parts[owner].read([int(index - begins[owner])])
            for index, owner in zip(indices, owners, strict=True)
        ]
        return np.concatenate(read) if read else self.parts[0].read([])

    def through(self, preprocessing: Preprocessing) -> "JoinedSet":
        """The same images, read through another preprocessing contract."""
        return JoinedSet(tuple(part.through(preprocessing) for part in self.parts))
