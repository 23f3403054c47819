"""Candidate versions: made from pending batches, judged, and made again without what spoils them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.adaptation.memory import DomainMemory
from service.adaptation.state import OnlineState
from service.guards.probation import ImageScore
from service.inference.background import AT_ONCE, Pieces
from service.inference.sessions import Session, SessionBuilder
from service.ledger.ledger import Ledger
from service.ledger.records import Batch, Target, Version, make_version
from service.targets.making.judging import Judge, Verdict

# Every attempt costs a session and its scores.
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Candidate:
    """A version that was made and judged, and its session.

    Attributes:
        version: the version.
        session: the session that runs it.
        left_out: names of pending batches that are not in it.
        scores, only_proposed: see :class:`service.targets.making.judging.Verdict`.
    """

    version: Version
    session: Session
    left_out: Sequence[str] = ()
    scores: tuple[ImageScore, ImageScore] | None = field(default=None)
    only_proposed: str | None = None

    @property
    def rejected(self) -> bool:
        """Whether a guard rejected it."""
        return self.version.record.status == "rejected"


class CandidateMaker:
    """Makes candidates of a target, and has them judged.

    Args:
        ledger: ledger that numbers the versions.
        builder: builder of sessions.
        judge: the guards.
        background: runs what predictions come before.
    """

    def __init__(
        self,
        ledger: Ledger,
        builder: SessionBuilder,
        judge: Judge,
        background: Pieces = AT_ONCE,
    ) -> None:
        self._ledger = ledger
        self._builder = builder
        self._judge = judge
        self._background = background

    def make(self, target: Target, served: Session, parent: Version, memory: bytes) -> Candidate:
        """Make the pending batches of a target a version, and judge it.

        If a guard rejects it, it is made again without the batches of the client, or else the batch,
        that differ most from the others, as long as others are left.

        Args:
            target: the target.
            served: session of the version that it serves.
            parent: that version.
            memory: what is remembered of the domain, with all its batches.
        """
        number = self._ledger.next_number(target)
        batches = list(target.batches)
        left_out: list[str] = []
        first: Candidate | None = None
        predicted = DomainMemory.from_bytes(memory).shares
        for _ in range(MAX_ATTEMPTS):
            state = target.state_of(batches)
            found = self._try(number, state, served, parent, memory, predicted, left_out)
            first = first or found
            if not found.rejected:
                return found
            spoiling = most_different(batches)
            if not spoiling:
                break
            left_out = [*left_out, *(batch.key for batch in spoiling)]
            batches = [batch for batch in batches if batch.key not in set(left_out)]
        assert first is not None
        return first

    def _try(
        self,
        number: int,
        state: OnlineState,
        served: Session,
        parent: Version,
        memory: bytes,
        predicted: NDArray[np.float64],
        left_out: Sequence[str],
    ) -> Candidate:
        session = self._background.run(
            lambda: self._builder.build(number, state.moments, state.count)
        )
        self._judge.scorer.forget(number)
        verdict: Verdict = self._judge.judge(session, state, served, parent, predicted)
        decision = verdict.decision
        version = make_version(
            number,
            state,
            memory,
            parent=parent.number,
            status="rejected" if decision.reason else "published",
            reason=decision.reason,
            scores=decision.scores,
        )
        return Candidate(version, session, tuple(left_out), verdict.scores, verdict.only_proposed)


def most_different(batches: Sequence[Batch]) -> list[Batch]:
    """The batches of one client, or one batch without a client, that differ most from all others.

    Differences of the means are in standard deviations, times the number of images, so that few images
    that chance made different are not taken for many that are.

    Returns:
        None if all are of the same client, or there is only one.
    """
    groups: dict[str, list[Batch]] = {}
    for batch in batches:
        groups.setdefault(
            f"batch {batch.key}" if batch.client is None else batch.client, []
        ).append(batch)
    if len(groups) < 2:
        return []
    return max(groups.values(), key=lambda group: _distance(group, batches))


def _distance(group: Sequence[Batch], batches: Sequence[Batch]) -> float:
    chosen = {batch.key for batch in group}
    mine, others = _merged(group), _merged([b for b in batches if b.key not in chosen])
    variance = np.maximum(others.moments.variance, 1e-12)
    z2 = np.square(mine.moments.mean - others.moments.mean) / variance
    return float(np.mean(z2) * min(mine.count, others.count))


def _merged(batches: Sequence[Batch]) -> OnlineState:
    state = OnlineState(batches[0].moments, 0.0)
    for batch in batches:
        state = state.merge(batch.moments, batch.images, float("inf"), batch.weight)
    return state
