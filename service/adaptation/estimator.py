"""From posted images to a new online state: admit, observe, merge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from service.adaptation.observer import Observation, Observer
from service.adaptation.outcome import BatchOutcome, NotAdmitted
from service.adaptation.state import OnlineState
from service.guards.admission import Admission, AdmissionOptions, Features
from service.inference.background import AT_ONCE, Pieces
from service.settings import Settings
from service.vocabulary import NotAdmittedKind, Verdict

REASONS: dict[NotAdmittedKind, str] = {
    "duplicate": "duplicate of an image that was admitted before",
    "outlier": "unlike the images admitted before",
    "batch": "most of its batch is unlike the images admitted before",
}


@dataclass(frozen=True)
class _Admitted:
    """The images that move the state, and the reasons why the others do not."""

    images: Sequence[Pixels]
    features: Features
    not_admitted: list[NotAdmitted]
    alarm: str | None = None
    new_domain: bool = False


class MomentEstimator:
    """Estimates the target moments from batches; remembers what it admitted, and nothing else.

    Args:
        target: name of the target, for the log.
        bundle: the bundle that is adapted.
        settings: thresholds and counts.
        background: runs what predictions come before.

    Attributes:
        first_state: state of version 0.
        first_admission: admission snapshot of version 0.
    """

    def __init__(
        self, target: str, bundle: Bundle, settings: Settings, background: Pieces = AT_ONCE
    ) -> None:
        self._target = target
        self._max_count = settings.max_count
        self._observer = Observer(bundle, settings, background)
        base = bundle.manifest.target
        self._prior_count = settings.prior_count or base.prior_count
        # A profile of source images does not say what is normal for target images.
        self._input_profile = bundle.manifest.input_profile if base.origin == "target" else None
        options = AdmissionOptions(
            settings.admission_window, settings.admission_threshold, settings.change_images
        )
        self._admission = Admission(options, self._input_profile)
        self.first_state = OnlineState(bundle.target, self._prior_count)
        self.first_admission = self._admission.to_bytes()

    def restore(self, admission: bytes) -> None:
        """Return to an admission snapshot, and forget what was admitted or held since."""
        self._admission.restore(admission, self._input_profile)

    def admission_snapshot(self) -> bytes:
        """The present admission snapshot, as :meth:`restore` reads it."""
        return self._admission.to_bytes()

    def merge_batch(self, images: Sequence[Pixels], state: OnlineState) -> BatchOutcome:
        """Admit the images that belong to the target, and merge them into its state.

        Args:
            images: one image or more, each ``(H, W, C)`` uint8.
            state: state before the batch.
        """
        observed = self._observer.observe_all(images, state)
        admitted = self._admit(images, np.concatenate([part.features for part in observed]))
        merged = self._merge(images, observed, admitted, state)
        self._admission.remember(admitted.images, admitted.features)
        return BatchOutcome(
            received=len(images),
            images=admitted.images,
            not_admitted=admitted.not_admitted,
            state=merged,
            admission=self._admission.to_bytes(),
            held=self._admission.held,
            alarm=admitted.alarm,
            new_domain=admitted.new_domain,
        )

    def _admit(self, images: Sequence[Pixels], features: Features) -> _Admitted:
        verdicts = self._admission.judge(images, features)
        released = self._admission.hold(images, features, verdicts)
        chosen = [index for index, verdict in enumerate(verdicts) if verdict == "admitted"]
        outliers = verdicts.count("outlier")
        alarm = None
        if released is None and outliers > len(chosen):
            alarm = f"{outliers} of {len(images)} images are unlike the images admitted before"
            chosen = []
        kept = set(chosen)
        not_admitted = [
            _not_admitted(index, verdict)
            for index, verdict in enumerate(verdicts)
            if index not in kept and not (released is not None and verdict == "outlier")
        ]
        admitted_images, admitted_features = [images[i] for i in chosen], features[chosen]
        if released is not None:
            admitted_images = [*admitted_images, *released[0]]
            admitted_features = np.concatenate([admitted_features, released[1]])
        return _Admitted(
            admitted_images, admitted_features, not_admitted, alarm, released is not None
        )

    def _merge(
        self,
        images: Sequence[Pixels],
        observed: Sequence[Observation],
        admitted: _Admitted,
        state: OnlineState,
    ) -> OnlineState:
        if admitted.new_domain:
            # The moments of the past describe another domain; they must not outweigh the new one.
            state = state.limited(self._prior_count)
        elif len(observed) == 1 and len(admitted.images) == len(images):
            return state.merge(observed[0].moments, len(images), self._max_count)
        return self._observer.merge(admitted.images, state, self._max_count)


def _not_admitted(index: int, verdict: Verdict) -> NotAdmitted:
    """Why an image did not move the statistics; one that was admitted fell with its batch."""
    kind: NotAdmittedKind = "batch" if verdict == "admitted" else verdict
    return NotAdmitted(index, kind, REASONS[kind])
