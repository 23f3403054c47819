"""Watches a version after its publication: arriving images are predicted by its parent, too."""

from collections.abc import Sequence
from typing import Any

from bundle.preprocessing import Pixels
from service.adaptation.observer import ENOUGH
from service.guards.probation import ImageScore, Probation
from service.inference.sessions import Session
from service.targets.making.scoring import Scorer

# Images after which a version has proved itself.
PROBATION_IMAGES = 256
# One of so many images is watched where versions change little and come seldom.
SHARE = 4


class Watch:
    """Collects evidence about the served version.

    Args:
        alpha: largest allowed probability of rolling a harmless version back.
        scorer: predicts.

    Attributes:
        parent: session of the version that was served before; None while nothing is watched.
    """

    def __init__(self, alpha: float, scorer: Scorer) -> None:
        self.parent: Session | None = None
        self._alpha = alpha
        self._scorer = scorer
        self._scores: tuple[ImageScore, ImageScore] | None = None

    def begin(
        self, parent: Session, scores: tuple[ImageScore, ImageScore] | None
    ) -> dict[str, Any] | None:
        """Begin to watch a version.

        Args:
            parent: session of the version that was served before.
            scores: how images are scored, by the parent and by the new version; None if that is not known,
                so that it cannot be watched.

        Returns:
            The evidence, as it is recorded.
        """
        self.stop()
        if scores is None:
            return None
        self.parent, self._scores = parent, scores
        return Probation(self._alpha).to_json()

    def stop(self) -> None:
        """Watch no more."""
        self.parent, self._scores = None, None

    def after(
        self,
        evidence: dict[str, Any] | None,
        served: Session,
        images: Sequence[Pixels],
        count: float = 0.0,
    ) -> Probation | None:
        """The evidence after more images; None if nothing is watched.

        Args:
            evidence: the evidence before, as it is recorded.
            served: session of the version that is watched.
            images: images of its domain that came after it.
            count: effective number of images of the domain before.
        """
        if evidence is None or self.parent is None or self._scores is None:
            return None
        probation = Probation.from_json(evidence)
        left = PROBATION_IMAGES - probation.images
        chosen = images[:: SHARE if count >= ENOUGH else 1][:left]
        if not chosen:
            return probation
        old, new = self._scores
        differences = old(self._scorer.predict(self.parent, chosen)) - new(
            self._scorer.predict(served, chosen)
        )
        return probation.after(differences)


def passed(probation: Probation) -> bool:
    """Whether a version has proved itself."""
    return not probation.failed and probation.images >= PROBATION_IMAGES
