"""Decides, without labels, whether a candidate version may replace the served one.

Which guards are asked depends on what is known. In the domain that the bundle was exported for, the sample
images are the judge: guard A with a level (:mod:`service.guards.conformal`), and the share of predictions
that change. In another domain, recent images of that domain are: guard B
(:mod:`service.guards.balanced_score`), and whether the network recognizes anything in them at all.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bundle.moments import FlatMoments
from bundle.scores import label_free_scores
from service.guards.balanced_score import compare
from service.guards.class_shares import FAR_OFF
from service.guards.conformal import ConformalGuard
from service.guards.disagreement import disagreement

Probabilities = NDArray[np.float64]
# Scores of fewer images are too noisy to decide anything.
MIN_IMAGES = 32
# A candidate that changes more of the predictions, while no change of the domain is seen, is not published.
MAX_CHANGED = 0.5


@dataclass(frozen=True)
class PublicationOptions:
    """Bounds of the publication guard.

    Attributes:
        alpha: largest allowed probability that guard A refuses a harmless candidate.
        margin: how much worse than the served version a candidate may score under guard B.
        recognizable: smallest score of a candidate on images of a new domain, as a share of the score of
            the exported version on the sample images.
        max_shift: largest mean shift of the raw moments, in standard deviations.
    """

    alpha: float
    margin: float
    recognizable: float
    max_shift: float


@dataclass(frozen=True)
class Decision:
    """The verdict on a candidate.

    Attributes:
        scores: measured values by name.
        reason: why the candidate is rejected; None if it may be published.
    """

    scores: dict[str, float]
    reason: str | None


@dataclass(frozen=True)
class Views:
    """Predictions ``(N, K)`` of three versions on the same images.

    Attributes:
        exported, served, candidate: probabilities.
    """

    exported: Probabilities
    served: Probabilities
    candidate: Probabilities


@dataclass(frozen=True)
class PublicationGuard:
    """Judges candidates.

    Attributes:
        options: bounds.
        conformal: guard A; None if the bundle has nothing to calibrate it with.
        exported_score: nuclear norm of the exported version on the sample images; None without any.
    """

    options: PublicationOptions
    conformal: ConformalGuard | None = None
    exported_score: float | None = field(default=None)

    def judge_moments(self, before: FlatMoments, after: FlatMoments) -> Decision:
        """Judge what is seen before anything is run."""
        problem = after.problem()
        if problem is not None:
            return Decision({}, problem)
        shift, allowed = mean_shift(before, after), self.options.max_shift
        reason = None
        if shift > allowed:
            reason = f"the means moved by {shift:.2f} sd, more than the allowed {allowed:.2f}"
        return Decision({"shift": shift}, reason)

    def judge_at_home(self, views: Views) -> Decision:
        """Judge a candidate of the exported domain, on sample images of it."""
        scores = _differences(views, self.options.alpha)
        if not np.isfinite(views.candidate).all():
            return Decision({}, "predictions are not finite")
        before, after = (
            label_free_scores(each).nuclear_norm for each in (views.exported, views.candidate)
        )
        scores |= {"nuclear_norm_exported": before, "nuclear_norm": after}
        reason = None
        if self.conformal is not None:
            scores["alpha"] = self.conformal.alpha
            reason = self.conformal.reason(before - after)
        if reason is None and scores["changed"] > MAX_CHANGED:
            reason = (
                f"{scores['changed']:.0%} of the predictions on the sample images change, while no"
                " change of the domain is seen"
            )
        return Decision(scores, reason)

    def judge_elsewhere(self, views: Views, share_distance: float | None = None) -> Decision:
        """Judge a candidate of another domain, on recent images of it.

        Args:
            views: predictions on these images.
            share_distance: distance of its class shares from the source's; None if that is not known.
        """
        scores = _differences(views, self.options.alpha)
        margin, because = self.options.margin, ""
        if share_distance is not None:
            scores["share_distance"] = share_distance
            if share_distance > FAR_OFF:
                margin = 0.0
                because = f", and its class shares are far from the source's ({share_distance:.2f})"
        if not np.isfinite(views.candidate).all():
            return Decision({}, "predictions are not finite")
        # Any finite candidate is better than a served version that is not finite.
        if not np.isfinite(views.served).all():
            return Decision(scores, None)
        compared = compare(views.served, views.candidate)
        scores |= {"balanced_served": compared.served, "balanced": compared.candidate}
        reason = compared.reason(margin)
        if reason is not None:
            reason += because
        if reason is None and self.exported_score is not None:
            found = label_free_scores(views.candidate).nuclear_norm
            scores["recognizable"] = found / self.exported_score
            if scores["recognizable"] < self.options.recognizable:
                reason = (
                    "the network recognizes little in these images: its score is"
                    f" {scores['recognizable']:.0%} of that on the sample images, less than"
                    f" {self.options.recognizable:.0%}"
                )
        return Decision(scores, reason)


def _differences(views: Views, alpha: float) -> dict[str, float]:
    """How often the candidate differs from the served version, and the bound on its harm (guard D)."""
    found = disagreement(views.served, views.candidate, alpha)
    return {
        "images": float(found.images),
        "changed": found.share,
        "largest_loss": found.bound,
    }


def mean_shift(before: FlatMoments, after: FlatMoments) -> float:
    """Mean distance of the means over all channels, in standard deviations of ``before``."""
    deviation = np.sqrt(np.maximum(before.variance, 1e-12))
    return float(np.mean(np.abs(after.mean - before.mean) / deviation))
