"""Puts candidates before the guards: with which images, and beside which versions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from bundle.scores import label_free_scores
from service.adaptation.state import EXPORTED_DOMAIN, OnlineState
from service.guards.class_shares import share_estimator
from service.guards.conformal import ConformalGuard
from service.guards.probation import ImageScore
from service.guards.publication import (
    MIN_IMAGES,
    Decision,
    PublicationGuard,
    PublicationOptions,
    Views,
)
from service.inference.background import Pieces
from service.inference.sessions import Session
from service.ledger.records import Version
from service.settings import Settings
from service.targets.making.reservoir import Reservoir
from service.targets.making.scoring import Probabilities, Scorer

# Standard errors by which confidence may fall: some classes are harder than others.
MAX_ERRORS = 6.0
UNJUDGED = "no images are kept to judge it with (RN_RESERVOIR=0); a person has to"
UNSEEN = "of the {} images behind it, {} are here to judge it with; a person has to"


@dataclass(frozen=True)
class Verdict:
    """What the guards say of a candidate.

    Attributes:
        decision: scores, and the reason of a rejection.
        scores: how single images are scored afterwards, by the parent and by the new version; None if
            there were no images to judge on.
        only_proposed: why a person has to decide; None if the guards could.
    """

    decision: Decision
    scores: tuple[ImageScore, ImageScore] | None = None
    only_proposed: str | None = None


class Judge:
    """Judges candidates of a target.

    Args:
        bundle: the bundle that is adapted, with its sample images and calibration.
        settings: bounds.
        reservoir: recent images of each domain.
        exported: gives the session of version 0, which is needed once.
        background: runs what predictions come before.

    Attributes:
        reservoir: recent images of each domain.
        classes: estimates class shares; None if the bundle does not know enough.
    """

    def __init__(
        self,
        bundle: Bundle,
        settings: Settings,
        reservoir: Reservoir,
        exported: Callable[[], Session],
        background: Pieces,
    ) -> None:
        guards = bundle.manifest.guards
        samples = None
        conformal = None
        # Without a calibration, the sample images still show how many predictions change.
        if bundle.sample_images is not None and bundle.manifest.target.origin == "target":
            count = guards.scored_images if guards is not None and guards.drops else MIN_IMAGES
            samples = evenly_spaced(bundle.sample_images, count)
            if guards is not None and guards.drops:
                conformal = ConformalGuard.calibrated(guards.drops, settings.alpha)
        self._options = PublicationOptions(
            settings.alpha,
            settings.publication_margin,
            settings.publication_recognizable,
            settings.publication_max_shift,
        )
        self._conformal = conformal
        self.classes = share_estimator(guards)
        self._exported = exported
        self.reservoir = reservoir
        self.scorer = Scorer(samples, background)
        self._guard: PublicationGuard | None = None

    def judge(
        self,
        candidate: Session,
        state: OnlineState,
        served: Session,
        parent: Version,
        predicted: NDArray[np.float64],
    ) -> Verdict:
        """Judge a candidate.

        Args:
            candidate: its session.
            state: state that it was made of.
            served: session of the served version.
            parent: the served version.
            predicted: sum of the predictions of images of the domain, ``(K,)``; empty without any.
        """
        guard = self._publication_guard()
        moments = guard.judge_moments(parent.state.moments, state.moments)
        if moments.reason is not None:
            return Verdict(moments)
        if state.domain == EXPORTED_DOMAIN and self._conformal is not None:
            views = Views(
                self.scorer.on_samples(0, self._exported),
                self.scorer.on_samples(served.version, lambda: served),
                self.scorer.on_samples(candidate.version, lambda: candidate),
            )
            found = guard.judge_at_home(views)
        else:
            images = self.reservoir.images(state.domain)
            if len(images) < MIN_IMAGES:
                if not self.reservoir.size:
                    return Verdict(moments, only_proposed=UNJUDGED)
                if state.pending > max(MIN_IMAGES, len(images)):
                    # Those of an archive, or of before a restart.
                    return Verdict(moments, only_proposed=UNSEEN.format(state.pending, len(images)))
                # As good as what is served, for all that can be said.
                return Verdict(moments)
            known, new = (self.scorer.predict(each, images) for each in (served, candidate))
            views = Views(known, known, new)
            found = guard.judge_elsewhere(views, self._share_distance(predicted))
        decision = Decision({**moments.scores, **found.scores}, found.reason)
        if found.reason is not None:
            return Verdict(decision)
        scores = (ImageScore.of(views.served), ImageScore.of(views.candidate))
        return Verdict(decision, scores)

    def as_sure_as_ever(self, probabilities: Probabilities) -> bool:
        """Whether images are predicted as confidently as the sample images.

        What is strange about such images is no trouble to the network: they may just be of few classes.

        Args:
            probabilities: predictions ``(N, K)`` of the served version, N at least 1.
        """
        if self.scorer.samples is None:
            return False
        usual = self.scorer.on_samples(0, self._exported).max(axis=1)
        error = usual.std() / np.sqrt(len(probabilities))
        return bool(probabilities.max(axis=1).mean() >= usual.mean() - MAX_ERRORS * error)

    def _share_distance(self, predicted: NDArray[np.float64]) -> float | None:
        """Distance of the estimated class shares from the source's; None if that cannot be told."""
        if self.classes is None or not predicted.size:
            return None
        return self.classes(predicted).distance

    def _publication_guard(self) -> PublicationGuard:
        """The guard; the exported version is scored when that is needed first."""
        if self._guard is None:
            score = None
            if self.scorer.samples is not None:
                predicted = self.scorer.on_samples(0, self._exported)
                score = label_free_scores(predicted).nuclear_norm
            self._guard = PublicationGuard(self._options, self._conformal, score)
        return self._guard


def evenly_spaced(images: Pixels, count: int) -> Pixels:
    """At most ``count`` of the images, evenly spaced, as they were chosen at export."""
    indices = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)
    chosen: Pixels = images[indices]
    return chosen
