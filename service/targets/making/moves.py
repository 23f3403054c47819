"""Moves of labels: promote, roll back, reset; set and remove the shadow."""

from service.adaptation.estimator import MomentEstimator
from service.errors import NothingToRollBack, RejectedVersion
from service.ledger.change import NOBODY, Actor
from service.ledger.moves import LabelMoved, MoveKind, ShadowMoved
from service.ledger.records import Version
from service.targets.making.watching import Watch
from service.targets.queries import Queries
from service.targets.recorder import Recorder
from service.targets.served import ServedVersions


class LabelMover:
    """Moves the labels of a target; that of the served version lets adaptation continue from it.

    Later versions stay in the ledger. Idempotency keys are forgotten: what they acknowledged may not be
    part of the state any more, and what is part of it is recognized as a duplicate.

    Args:
        recorder: record of the target.
        queries: reads versions.
        served: sessions of the target.
        estimator: returns to what the version had admitted.
        watch: stops watching the version that was served.
    """

    def __init__(
        self,
        recorder: Recorder,
        queries: Queries,
        served: ServedVersions,
        estimator: MomentEstimator,
        watch: Watch,
    ) -> None:
        self._recorder = recorder
        self._queries = queries
        self._served = served
        self._estimator = estimator
        self._watch = watch

    def move(
        self,
        number: int,
        kind: MoveKind,
        actor: Actor = NOBODY,
        *,
        force: bool = False,
        strikes: int = 0,
    ) -> Version:
        """Serve a version.

        Args:
            number: number of the version.
            kind: how the label moves.
            actor: who moves it, and why.
            force: whether a version that a guard rejected may be served; the reason is recorded.
            strikes: number of versions in a row that the guards have rolled back.

        Raises:
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
            RejectedVersion: if a guard rejected it, and it is not forced with a reason.
        """
        version = self._queries.version(number)
        if version.record.status == "rejected" and not (force and actor.reason):
            raise RejectedVersion(
                f"version {number} was rejected: {version.record.reason}; to serve it all the same, send"
                " force: true and a reason"
            )
        session = self._served.get(number)
        previous = self._recorder.target.serving
        self._recorder.append(LabelMoved(version, previous, kind, actor, strikes))
        self._watch.stop()
        self._estimator.restore(self._recorder.target.memory)
        self._served.serve(session)
        return version

    def go_back(self, number: int | None, kind: MoveKind, actor: Actor = NOBODY) -> Version:
        """Serve an earlier version, by default the parent; works without the ledger, too.

        A version of which nothing is known here is read from the ledger.

        Raises:
            NothingToRollBack: if the served version has no parent.
            UnknownVersion, MomentsDropped, RejectedVersion: as :meth:`move`.
            LedgerError: if it is needed, and cannot be used.
        """
        wanted = self.parent_of_served() if number is None else number
        version = self._queries.version(wanted)
        if version.record.status == "rejected":
            raise RejectedVersion(
                f"version {wanted} was rejected: {version.record.reason}; promote it with force: true and"
                " a reason to serve it all the same"
            )
        session = self._served.get(wanted)
        previous = self._recorder.target.serving
        self._recorder.stop(LabelMoved(version, previous, kind, actor))
        self._watch.stop()
        self._estimator.restore(self._recorder.target.memory)
        self._served.serve(session)
        return version

    def set_shadow(self, number: int | None, actor: Actor = NOBODY) -> None:
        """Move the label ``shadow`` to a version, as soon as that is ready to run; None removes it.

        Raises:
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
        """
        previous = self._recorder.target.shadow
        session = None
        if number is not None:
            # Read even if its session is cached: it has to be there when the service starts again.
            self._queries.version(number)
            session = self._served.get(number)
        if number != previous:
            self._recorder.append(ShadowMoved(number, previous, actor))
        self._served.shadow = session

    def parent_of_served(self) -> int:
        """Number of the parent of the served version.

        Raises:
            NothingToRollBack: if it has none.
        """
        parent = self._queries.version_record(self._recorder.target.serving).parent
        if parent is None:
            raise NothingToRollBack("version 0 is served; there is nothing to roll back to")
        return parent
