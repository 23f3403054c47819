"""A bundle in memory."""

from dataclasses import dataclass

from bundle.fold import Array
from bundle.manifest import Manifest
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, in memory.

    Attributes:
        manifest: the manifest.
        fingerprint: SHA-256 of the manifest, which in turn holds the hash of every file.
        predict, observe, compensate: serialized graphs; the first two without their arrays.
        predict_arrays: initializers of ``predict``, folded with the base target moments.
        base_arrays: initializers of ``observe``, and the unfolded arrays that folding starts from.
        observe_names: names of the arrays in ``base_arrays`` that ``observe`` needs.
        source, target: raw moments of the source domain, and base moments of the target domain.
        sample_images: unlabelled target images ``(N, H, W, C)`` uint8; None if the bundle holds none.
    """

    manifest: Manifest
    fingerprint: str
    predict: bytes
    observe: bytes
    compensate: bytes
    predict_arrays: dict[str, Array]
    base_arrays: dict[str, Array]
    observe_names: frozenset[str]
    source: FlatMoments
    target: FlatMoments
    sample_images: Pixels | None

    @property
    def observe_arrays(self) -> dict[str, Array]:
        """The initializers of ``observe``."""
        return {name: self.base_arrays[name] for name in self.observe_names}
