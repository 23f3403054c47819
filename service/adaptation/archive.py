"""The moments of an archive of images that stays where it is, as a file that a service merges.

An archive is observed in parts of :data:`PART` images, each as the first images of a new domain are, and
the moments of the parts are merged exactly (Chan, Golub and LeVeque, see
:meth:`service.adaptation.state.OnlineState.merge`). So the file does not depend on how many processes
observed it, and holds no pixels: moments, class shares, and the input features of a few images, by which
the service tells what domain the archive is of.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from bundle.errors import BundleError
from bundle.interface import feature_names
from bundle.loaded import Bundle
from bundle.moments import FlatMoments
from bundle.reading.arrays import read_arrays, read_metadata
from bundle.reading.strict_json import parse_json
from service.adaptation.change import Features
from service.adaptation.memory import WINDOW, Arrival, DomainMemory
from service.adaptation.outcome import BatchOutcome
from service.adaptation.state import OnlineState
from service.guards.class_shares import MAX_WEIGHT

# Images that are observed together.
PART = 64
# Fewer do not say what domain they are of.
MIN_IMAGES = 32
# Larger numbers are not those of images, and would not be exact in double precision.
MAX_IMAGES = 2**40
FORMAT = "reciprocal-norm moments 1"
_SEND = "send a file that `rn observe` wrote"


class ArchiveError(ValueError):
    """The content is not the moments of an archive for this bundle; one line that says why."""


@dataclass(frozen=True)
class Archive:
    """Moments of many images, and what is remembered of them.

    Attributes:
        bundle: fingerprint of the bundle whose graph observed them.
        images: number of images.
        weight: sum of their weights in the moments.
        moments: raw moments of all of them, rounded to float32.
        shares: sum of the predictions of the images, ``(K,)``.
        features: logarithms of the input features of some, evenly spaced, ``(M, F)``.
        digests: digests of the pixels of these, ``(M,)`` uint64.
    """

    bundle: str
    images: int
    weight: float
    moments: FlatMoments
    shares: NDArray[np.float64]
    features: Features
    digests: NDArray[np.uint64]

    def arrivals(self, request: int, client: str | None) -> list[Arrival]:
        """Those images whose features are known, as they are remembered."""
        return [
            Arrival(row, int(digest), request, client, "admitted")
            for row, digest in zip(self.features, self.digests, strict=True)
        ]

    def to_bytes(self) -> bytes:
        """A safetensors file; the inverse of :meth:`from_bytes`."""
        # One text: the order of several is not fixed, and the same images are to give the same bytes.
        described = json.dumps({"bundle": self.bundle, "images": self.images})
        arrays = {
            "mean": self.moments.mean.astype(np.float32),
            "variance": self.moments.variance.astype(np.float32),
            "weight": np.array([self.weight]),
            "shares": self.shares,
            "features": self.features,
            "digests": self.digests,
        }
        return save(arrays, metadata={FORMAT: described})

    @classmethod
    def from_bytes(cls, content: bytes, bundle: Bundle) -> "Archive":
        """Read what :meth:`to_bytes` wrote, without trusting it.

        Args:
            content: the file.
            bundle: the bundle that it must be for.

        Raises:
            ArchiveError: if it is not such a file, is of another bundle, or holds impossible values.
        """
        try:
            arrays = read_arrays("the content", content).arrays
            metadata = read_metadata("the content", content)
            described = parse_json("the content", metadata.get(FORMAT, "null").encode())
        except BundleError as error:
            raise ArchiveError(f"{error}; {_SEND}") from error
        if not isinstance(described, dict):
            raise ArchiveError(f"the content does not hold moments; {_SEND}")
        if described.get("bundle") != bundle.fingerprint:
            raise ArchiveError(
                "the moments were observed with another bundle; observe the images with the one that is"
                " served"
            )
        images = _count(described.get("images"))
        _check(arrays, _expected(bundle), images)
        moments = FlatMoments(*(arrays[name].astype(np.float64) for name in ("mean", "variance")))
        archive = cls(
            bundle.fingerprint,
            images,
            float(arrays["weight"][0]),
            moments,
            arrays["shares"],
            arrays["features"],
            arrays["digests"],
        )
        problem = moments.problem() or archive._problem()
        if problem is not None:
            raise ArchiveError(f"the moments cannot be used: {problem}")
        return archive

    def _problem(self) -> str | None:
        """Reason why these values cannot be those of images; None if they can."""
        if not np.isfinite(self.features).all():
            return "features are not finite"
        if not 0 < self.weight <= MAX_WEIGHT * self.images:
            return f"the weight of {self.images} images is {self.weight:g}"
        total = float(self.shares.sum())
        if (self.shares < 0).any() or not np.isclose(total, self.images, rtol=1e-3):
            return f"the class shares of {self.images} images sum to {total:g}"
        return None


class ArchiveBuilder:
    """Merges the parts of an archive, in their order, into one.

    Args:
        bundle: the bundle whose graph observes them.

    Attributes:
        images: number of images so far.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._fingerprint = bundle.fingerprint
        self._state: OnlineState | None = None
        self._shares = np.zeros(len(bundle.manifest.classes))
        self._sample: list[Arrival] = []
        self._stride = 1
        self.images = 0

    def add(self, part: BatchOutcome) -> None:
        """Add what was observed of a part; without effect if no image of it was admitted."""
        if part.moments is None:
            return
        state = self._state or OnlineState(part.moments, 0.0)
        self._state = state.merge(part.moments, part.admitted, float("inf"), part.weight)
        memory = DomainMemory.from_bytes(part.memory)
        self._shares += memory.shares
        self._keep(memory.window)
        self.images += part.admitted

    def build(self) -> Archive:
        """The archive.

        Raises:
            ArchiveError: if it has too few images.
        """
        if self._state is None or self.images < MIN_IMAGES:
            raise ArchiveError(
                f"{self.images} images can be used, and {MIN_IMAGES} are needed; post fewer to /adapt"
            )
        moments = FlatMoments(
            *(value.astype(np.float32).astype(float) for value in self._state.moments)
        )
        return Archive(
            self._fingerprint,
            self.images,
            self._state.count,
            moments,
            self._shares,
            np.array([arrival.features for arrival in self._sample]),
            np.array([arrival.digest for arrival in self._sample], np.uint64),
        )

    def _keep(self, arrivals: Iterable[Arrival]) -> None:
        """Keep images evenly spaced over all, at most twice as many as are needed."""
        place = self.images
        for arrival in arrivals:
            if arrival.verdict == "admitted":
                if place % self._stride == 0:
                    self._sample.append(arrival)
                place += 1
            if len(self._sample) > WINDOW:
                self._sample, self._stride = self._sample[::2], 2 * self._stride


def _count(images: object) -> int:
    if type(images) is not int:
        raise ArchiveError("the number of images is no whole number")
    if not MIN_IMAGES <= images <= MAX_IMAGES:
        raise ArchiveError(
            f"moments of {images} images; {MIN_IMAGES} to {MAX_IMAGES} are merged; post fewer to /adapt"
        )
    return images


def _expected(bundle: Bundle) -> dict[str, tuple[type, tuple[int | None, ...]]]:
    """Types and shapes of the arrays; None for the number of images whose features are known."""
    manifest = bundle.manifest
    channels = (manifest.channels,)
    return {
        "mean": (np.float32, channels),
        "variance": (np.float32, channels),
        "weight": (np.float64, (1,)),
        "shares": (np.float64, (len(manifest.classes),)),
        "features": (np.float64, (None, len(feature_names(manifest)))),
        "digests": (np.uint64, (None,)),
    }


def _check(
    arrays: dict[str, NDArray[np.generic]],
    expected: dict[str, tuple[type, tuple[int | None, ...]]],
    images: int,
) -> None:
    """Raise ArchiveError unless the arrays are those that are expected."""
    if set(arrays) != set(expected):
        raise ArchiveError(f"the content must hold the arrays {', '.join(expected)}")
    known = arrays["digests"].size
    for name, (dtype, shape) in expected.items():
        found = arrays[name]
        wanted = tuple(known if size is None else size for size in shape)
        if found.dtype != dtype or found.shape != wanted:
            raise ArchiveError(
                f"{name} must be {np.dtype(dtype)} {json.dumps(wanted)}, not {found.dtype}"
                f" {json.dumps(found.shape)}"
            )
    if not MIN_IMAGES <= known <= min(images, WINDOW):
        raise ArchiveError(
            f"features of {known} images; {MIN_IMAGES} to {WINDOW} are needed, and no more than there are"
        )
