"""Raw target moments of all normalization sites of a network, as flat vectors."""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class FlatMoments(NamedTuple):
    """Mean and variance of every channel, each ``(T,)`` float64, sites in the order of the manifest."""

    mean: Vector
    variance: Vector

    def problem(self) -> str | None:
        """Reason why these values are not valid moments; None if they are."""
        if not (np.isfinite(self.mean).all() and np.isfinite(self.variance).all()):
            return "moments are not finite"
        if (self.variance < 0).any():
            return "a variance is negative"
        return None

    def to_bytes(self) -> bytes:
        """The values as little-endian float64, means first; the inverse of :meth:`from_bytes`."""
        return np.concatenate(self).astype("<f8").tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> "FlatMoments":
        """Moments from the bytes that :meth:`to_bytes` returned."""
        mean, variance = np.frombuffer(content, dtype="<f8").astype(np.float64).reshape(2, -1)
        return cls(mean, variance)

    def fingerprint(self) -> str:
        """SHA-256 of :meth:`to_bytes`, in hexadecimal digits."""
        return hashlib.sha256(self.to_bytes()).hexdigest()
