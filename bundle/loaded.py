"""A bundle in memory."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundle.fold import Array
from bundle.manifest import Manifest
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels

if TYPE_CHECKING:
    import onnxruntime as ort


class Handover:
    """A session that was made to try or to measure a bundle, for the first who takes it.

    Args:
        session: the session; None if there is none to take.
    """

    def __init__(self, session: "ort.InferenceSession | None" = None) -> None:
        self._held = [] if session is None else [session]

    def give(self, session: "ort.InferenceSession") -> None:
        """Hold a session that another may take."""
        self._held = [session]

    def take(self) -> "ort.InferenceSession | None":
        """The session, which is then no longer held here; None if there is none, or it was taken."""
        try:
            return self._held.pop()
        except IndexError:
            return None


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
        predictor: session of ``predict`` with ``predict_arrays``, if the caller of
            :func:`bundle.reading.loading.load_bundle` asked for it.
        compensator: session of ``compensate``, for the first :class:`bundle.runtime.Refolder`.
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
    predictor: Handover = field(default_factory=Handover, compare=False, repr=False)
    compensator: Handover = field(default_factory=Handover, compare=False, repr=False)

    @property
    def observe_arrays(self) -> dict[str, Array]:
        """The initializers of ``observe``."""
        return {name: self.base_arrays[name] for name in self.observe_names}
