"""From posted images to a new online state: admit, observe, merge."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from service.adaptation.observer import Observed, Observer
from service.adaptation.state import OnlineState
from service.guards.admission import Admission, AdmissionRules, Features
from service.schemas import Refusal, describe_verdict
from service.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taken:
    """What became of a batch.

    Attributes:
        images: those that moved the state; ones held earlier may be among them.
        refused: those of the batch that did not.
        state: after the batch.
        admission: what has to be kept of what was admitted.
        held: outliers that are kept in memory.
        alarm: why the whole batch was refused, if it was.
        new_domain: whether held images were let in as a new domain.
    """

    images: Sequence[Pixels]
    refused: list[Refusal]
    state: OnlineState
    admission: bytes
    held: int
    alarm: str | None
    new_domain: bool


@dataclass(frozen=True)
class _Admitted:
    images: Sequence[Pixels]
    features: Features
    refused: list[Refusal]
    alarm: str | None = None
    new_domain: bool = False


class Intake:
    """Takes batches of one target; remembers what it admitted, and nothing else.

    Args:
        name: of the target, for the log.
        bundle: what is adapted.
    """

    def __init__(self, name: str, bundle: Bundle, settings: Settings) -> None:
        self._name = name
        self._max_count = settings.max_count
        self._observer = Observer(bundle, settings)
        base = bundle.manifest.target
        self._prior_count = settings.prior_count or base.prior_count
        # What is normal for source images says nothing of target ones.
        self._input_profile = bundle.manifest.input_profile if base.origin == "target" else None
        self._rules = AdmissionRules(
            settings.admission_window, settings.admission_threshold, settings.change_images
        )
        self._admission = Admission(self._rules, self._input_profile)
        self.first_state = OnlineState(bundle.target, self._prior_count)
        self.first_admission = self._admission.to_bytes()

    def restore(self, admission: bytes) -> None:
        """Remember what was admitted up to then, and forget what came after."""
        self._admission.restore(admission, self._input_profile)

    def take(self, images: Sequence[Pixels], state: OnlineState) -> Taken:
        """Admit what belongs, and merge it into the state.

        Args:
            images: at least one.
            state: before the batch.
        """
        observed = self._observer.observe_all(images, state)
        admitted = self._admit(images, np.concatenate([part.features for part in observed]))
        merged = self._merge(images, observed, admitted, state)
        self._admission.remember(admitted.images, admitted.features)
        return Taken(
            images=admitted.images,
            refused=admitted.refused,
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
            logger.warning("target %s: batch refused: %s", self._name, alarm)
            chosen = []
        kept = set(chosen)
        refused = [
            Refusal(index=index, reason=describe_verdict(verdict))
            for index, verdict in enumerate(verdicts)
            if index not in kept and not (released is not None and verdict == "outlier")
        ]
        admitted_images, admitted_features = [images[i] for i in chosen], features[chosen]
        if released is not None:
            logger.warning(
                "target %s: %d held images are a new domain", self._name, len(released[0])
            )
            admitted_images = [*admitted_images, *released[0]]
            admitted_features = np.concatenate([admitted_features, released[1]])
        return _Admitted(admitted_images, admitted_features, refused, alarm, released is not None)

    def _merge(
        self,
        images: Sequence[Pixels],
        observed: Sequence[Observed],
        admitted: _Admitted,
        state: OnlineState,
    ) -> OnlineState:
        if admitted.new_domain:
            # The past speaks of another domain now; it may not outweigh the new one.
            state = state.limited(self._prior_count)
        elif len(observed) == 1 and len(admitted.images) == len(images):
            return state.merge(observed[0].moments, len(images), self._max_count)
        return self._observer.merge(admitted.images, state, self._max_count)
