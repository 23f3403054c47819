"""Raw target moments of all normalization sites of a network, as flat vectors."""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class FlatMoments(NamedTuple):
    """Mean and variance of every channel of every site, each ``(C,)`` float64, sites one after another."""

    mean: Vector
    variance: Vector

    def problem(self) -> str | None:
        """Why these cannot be moments, in words; None if they can."""
        if not (np.isfinite(self.mean).all() and np.isfinite(self.variance).all()):
            return "moments are not finite"
        if (self.variance < 0).any():
            return "a variance is negative"
        return None

    def to_bytes(self) -> bytes:
        """Little-endian float64, means first; the inverse of :meth:`from_bytes`."""
        return np.concatenate(self).astype("<f8").tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> "FlatMoments":
        """Read what :meth:`to_bytes` wrote."""
        mean, variance = np.frombuffer(content, dtype="<f8").astype(np.float64).reshape(2, -1)
        return cls(mean, variance)

    def fingerprint(self) -> str:
        """SHA-256 of the values."""
        return hashlib.sha256(self.to_bytes()).hexdigest()
