"""A candidate version: made from the pending images, scored on a reservoir, published or rejected."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels
from service.adaptation.state import OnlineState
from service.guards.publication import Decision, PublicationOptions, decide
from service.inference.background import AT_ONCE, PIECE, Pieces
from service.inference.sessions import Session, SessionBuilder
from service.ledger.ledger import Ledger
from service.ledger.records import Target, Version, make_version
from service.targets.served import ServedVersions


@dataclass(frozen=True)
class Candidate:
    """A version that was made and judged, and its session.

    Attributes:
        version: the version, published or rejected.
        session: the session that runs it.
        served: the version that was served when it was made.
    """

    version: Version
    session: Session
    served: Version


class CandidateMaker:
    """Makes candidates of a target, and judges them on a reservoir of recent admitted images.

    Args:
        ledger: ledger that numbers the versions.
        builder: builder of sessions.
        served: the served version, which candidates are compared with.
        options: bounds of the publication guard.
        reservoir: maximum number of images on which candidates are scored.
        background: runs what predictions come before.
    """

    def __init__(
        self,
        ledger: Ledger,
        builder: SessionBuilder,
        served: ServedVersions,
        options: PublicationOptions,
        reservoir: int,
        background: Pieces = AT_ONCE,
    ) -> None:
        self._ledger = ledger
        self._builder = builder
        self._served = served
        self._options = options
        self._background = background
        self._reservoir: deque[Pixels] = deque(maxlen=reservoir)

    def remember(self, images: Sequence[Pixels]) -> None:
        """Add admitted images to the reservoir."""
        self._reservoir.extend(images)

    def forget(self) -> None:
        """Empty the reservoir; the state went back to before its images."""
        self._reservoir.clear()

    def make(self, target: Target, served: Version) -> Candidate:
        """Make the pending images of a target a version, and judge it.

        Args:
            target: the target.
            served: the version that it serves.
        """
        state = target.state.without_pending()
        number = self._ledger.next_number(target)
        session = self._background.run(lambda: self._builder.build(number, state.moments))
        decision = self._decide(session, served, state)
        version = make_version(
            number,
            state,
            target.admission,
            parent=served.number,
            status="rejected" if decision.reason else "published",
            reason=decision.reason,
            scores=decision.scores,
        )
        return Candidate(version, session, served)

    def _decide(self, session: Session, served: Version, state: OnlineState) -> Decision:
        old, new = (self._probabilities(each) for each in (self._served.served, session))
        return decide(self._options, old, new, served.state.moments, state.moments)

    def _probabilities(self, session: Session) -> NDArray[np.float64]:
        """Probabilities ``(N, K)`` of the images of the reservoir."""
        images = np.array(self._reservoir)
        parts = [
            self._background.run(partial(session.probabilities, images[start : start + PIECE]))
            for start in range(0, len(images), PIECE)
        ]
        return np.concatenate(parts) if parts else np.empty((0, 0))
