"""Observes one part of an archive, in a process of the pool."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundle.images.errors import ImageError
from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from bundle.reading.loading import load_bundle
from service.adaptation.estimator import MomentEstimator, Occasion
from service.adaptation.memory import DomainMemory
from service.adaptation.outcome import BatchOutcome
from service.settings import Settings

# Of a domain that was never seen; its number stands for nothing here.
_DOMAIN = 1


@dataclass(frozen=True)
class ObservedPart:
    """What was observed of a part.

    Attributes:
        files: number of its files.
        outcome: moments and memory of its images; None if no file could be used. Without pixels.
        skipped: one line per file that could not be used.
    """

    files: int
    outcome: BatchOutcome | None
    skipped: Sequence[str]


class PartObserver:
    """Observes parts as the first images of a domain, whatever came before.

    Args:
        bundle: the bundle that observes.
        settings: the device.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._preprocessing = bundle.manifest.preprocessing
        self._max_pixels = settings.max_pixels
        self._estimator = MomentEstimator(bundle, settings)

    def observe(self, folder: Path, names: Sequence[str]) -> ObservedPart:
        """Read and observe some files of a folder.

        Args:
            folder: the folder.
            names: paths of the files in it.
        """
        images: list[Pixels] = []
        skipped: list[str] = []
        for name in names:
            path = folder / name
            try:
                images.append(self._preprocessing.read(path.read_bytes(), self._max_pixels))
            except ImageError as error:
                skipped.append(f"{path}: skipped: {error}")
            except OSError as error:
                skipped.append(f"{path}: skipped: cannot be read: {error.strerror}")
        if not images:
            return ObservedPart(len(names), None, skipped)
        outcome = self._first_of_a_domain(images)
        skipped += [f"an image was skipped: {image.reason}" for image in outcome.not_admitted]
        return ObservedPart(len(names), outcome, skipped)

    def _first_of_a_domain(self, images: Sequence[Pixels]) -> BatchOutcome:
        self._estimator.restore(DomainMemory())
        start = replace(self._estimator.first_state, domain=_DOMAIN)
        outcome = self._estimator.merge_batch(images, start, Occasion(), predict=False)
        return replace(outcome, images=(), logits=(), elsewhere=outcome.admitted)


_observer: PartObserver | None = None


def begin(bundle: Path, settings: Settings) -> None:
    """Load the bundle, once in each process."""
    global _observer
    _observer = PartObserver(load_bundle(bundle), settings)


def observe(folder: Path, names: Sequence[str]) -> ObservedPart:
    """Observe a part in a process in which :func:`begin` was called."""
    assert _observer is not None
    return _observer.observe(folder, names)
