"""Decides which images of a batch may move the statistics.

An image is not admitted if it was admitted before, and held if its input features are far from those of
the last admitted images. Held images that agree with one another, while hardly anything else arrives,
are a new domain and are admitted together.
"""

import hashlib
import io
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import InputProfile
from bundle.preprocessing import Pixels
from service.vocabulary import Verdict

Features = NDArray[np.float64]

# A spread of 0 (all reference images alike) must not make every other image an outlier. Features are
# in units of the full pixel range.
MIN_SPREAD = 0.01
MAD_TO_DEVIATION = 1.4826
# Fewer admitted images than this are not enough to estimate what is normal.
MIN_REFERENCE = 32
MAX_REMEMBERED = 4096
# A new domain replaces the old one; a share of junk in the old one does not.
CHANGE_SHARE = 0.8


@dataclass(frozen=True)
class AdmissionOptions:
    """Thresholds of admission.

    Attributes:
        window: number of last admitted images that new ones are compared with.
        threshold: robust z-score of an input feature above which an image is an outlier.
        change_images: number of held images that make a new domain.
    """

    window: int
    threshold: float
    change_images: int


class Reference(NamedTuple):
    """Expected input features: median and median absolute deviation, each ``(F,)``."""

    median: Features
    spread: Features

    @classmethod
    def of(cls, features: Features) -> "Reference":
        """The reference that features ``(N, F)`` of admitted images give."""
        median = np.median(features, axis=0)
        return cls(median, np.median(np.abs(features - median), axis=0))

    def distances(self, features: Features) -> NDArray[np.float64]:
        """Largest robust z-score of each image, ``(N,)``; infinite where a feature is not finite."""
        scale = np.maximum(MAD_TO_DEVIATION * self.spread, MIN_SPREAD)
        z = np.max(np.abs(features - self.median) / scale, axis=1)
        return np.where(np.isfinite(z), z, np.inf)


@dataclass
class Admission:
    """Judges images by what was admitted before.

    Attributes:
        options: thresholds.
        input_profile: input profile that says what is normal until enough images were admitted; None if
            there is none.
        features: input features of the last admitted images, oldest first.
        digests: digests of admitted images, by which duplicates are recognized.
    """

    options: AdmissionOptions
    input_profile: InputProfile | None
    features: deque[Features] = field(default_factory=deque)
    digests: dict[int, None] = field(default_factory=dict)
    _held: dict[int, tuple[Pixels, Features]] = field(default_factory=dict)
    _recent: deque[bool] = field(default_factory=deque)

    def judge(self, images: Sequence[Pixels], features: Features) -> list[Verdict]:
        """Give a verdict on each image; nothing is remembered yet."""
        distances = self._distances(features)
        seen: set[int] = set()
        verdicts: list[Verdict] = []
        for image, distance in zip(images, distances, strict=True):
            identity = digest(image)
            if identity in self.digests or identity in seen:
                verdicts.append("duplicate")
            elif distance > self.options.threshold:
                verdicts.append("outlier")
            else:
                verdicts.append("admitted")
            seen.add(identity)
        return verdicts

    def remember(self, images: Sequence[Pixels], features: Features) -> None:
        """Remember images that were admitted."""
        for image, feature in zip(images, features, strict=True):
            self.digests[digest(image)] = None
            self.features.append(feature)
        while len(self.features) > self.options.window:
            self.features.popleft()
        while len(self.digests) > MAX_REMEMBERED:
            del self.digests[next(iter(self.digests))]

    def hold(
        self, images: Sequence[Pixels], features: Features, verdicts: Sequence[Verdict]
    ) -> tuple[list[Pixels], Features] | None:
        """Hold the outliers of a batch, and release those that agree once they are a new domain.

        What was normal is forgotten then, so that the released images are normal.

        Returns:
            The released images and their features, or None.
        """
        for image, feature, verdict in zip(images, features, verdicts, strict=True):
            if verdict != "duplicate":
                self._recent.append(verdict == "outlier")
            if verdict == "outlier":
                self._held[digest(image)] = (image, feature)
        while len(self._recent) > self.options.change_images:
            self._recent.popleft()
        while len(self._held) > 2 * self.options.change_images:
            del self._held[next(iter(self._held))]
        domain = self._new_domain()
        if domain is None:
            return None
        self._held.clear()
        self._recent.clear()
        self.features.clear()
        self.input_profile = None
        return domain

    @property
    def held(self) -> int:
        """Number of outliers held in memory, in case they turn out to be a new domain."""
        return len(self._held)

    def _distances(self, features: Features) -> NDArray[np.float64]:
        if len(self.features) >= MIN_REFERENCE:
            return Reference.of(np.array(self.features)).distances(features)
        if self.input_profile is not None:
            median, spread = (
                np.array(self.input_profile.median),
                np.array(self.input_profile.spread),
            )
            return Reference(median, spread).distances(features)
        return np.where(np.isfinite(features).all(axis=1), 0.0, np.inf)

    def _new_domain(self) -> tuple[list[Pixels], Features] | None:
        """The held images that agree with one another, if they are many and little else arrives."""
        if len(self._held) < self.options.change_images:
            return None
        if sum(self._recent) < CHANGE_SHARE * len(self._recent):
            return None
        features = np.array([feature for _, feature in self._held.values()])
        agree = Reference.of(features).distances(features) <= self.options.threshold
        if float(np.mean(agree)) < CHANGE_SHARE:
            return None
        images = [image for image, _ in self._held.values()]
        return [image for image, fits in zip(images, agree, strict=True) if fits], features[agree]

    def to_bytes(self) -> bytes:
        """Write an admission snapshot; held images are not part of it."""
        buffer = io.BytesIO()
        features = np.array(self.features, dtype=np.float64)
        digests = np.array(list(self.digests), dtype=np.uint64)
        calibrated = np.array(self.input_profile is not None)
        np.savez(buffer, features=features, digests=digests, calibrated=calibrated)
        return buffer.getvalue()

    def restore(self, content: bytes, input_profile: InputProfile | None) -> None:
        """Return to an admission snapshot that :meth:`to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self.features = deque(arrays["features"])
            self.digests = dict.fromkeys(int(value) for value in arrays["digests"])
            self.input_profile = input_profile if bool(arrays["calibrated"]) else None
        self._held.clear()
        self._recent.clear()


def digest(image: Pixels) -> int:
    """64-bit digest of an image's pixels."""
    return int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=8).digest())
