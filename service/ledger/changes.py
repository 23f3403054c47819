"""Everything that can happen to a target, one immutable class per kind of change.

A change says which values of the target it sets (:meth:`Change.applied_to`, a pure function), what else is
recorded with it, and how its event reads. :meth:`service.ledger.ledger.Ledger.append` writes it in one
transaction.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from service.adaptation.outcome import BatchOutcome
from service.adaptation.state import OnlineState
from service.ledger.records import Receipt, Target, Version
from service.vocabulary import EventKind

MoveKind = Literal["promoted", "rolled_back", "reset"]


@dataclass(frozen=True)
class Change(ABC):
    """Something that happens to a target.

    Attributes:
        voids_receipts: whether outcomes acknowledged before no longer hold, since the state goes back.
    """

    voids_receipts: ClassVar[bool] = False

    @property
    @abstractmethod
    def kind(self) -> EventKind:
        """Kind of the event."""

    @abstractmethod
    def applied_to(self, target: Target) -> Target:
        """The target with the values that this change sets."""

    def detail(self) -> dict[str, Any]:
        """Details of the event in addition to its kind, as JSON values."""
        return {}

    @property
    def version(self) -> Version | None:
        """The version to add to the ledger, if the change brings one."""
        return None

    @property
    def receipt(self) -> Receipt | None:
        """The receipt to store, if the change acknowledges a request."""
        return None


@dataclass(frozen=True)
class BatchMerged(Change):
    """A batch was judged, and what was admitted of it was merged into the state.

    Attributes:
        outcome: what became of its images; with none admitted, the state stays as it is.
        acknowledged: receipt of the request that carried the batch.
    """

    outcome: BatchOutcome
    acknowledged: Receipt | None = None

    @property
    def kind(self) -> EventKind:
        if self.outcome.new_domain:
            return "new_domain"
        return "alarm" if self.outcome.alarm else "merged"

    def applied_to(self, target: Target) -> Target:
        return replace(target, state=self.outcome.state, admission=self.outcome.admission)

    def detail(self) -> dict[str, Any]:
        outcome = self.outcome
        return {
            "received": outcome.received,
            "admitted": outcome.admitted,
            "not_admitted": len(outcome.not_admitted),
            "held": outcome.held,
            "pending": outcome.state.pending,
            "alarm": outcome.alarm,
        }

    @property
    def receipt(self) -> Receipt | None:
        return self.acknowledged


class VersionMade(Change):
    """A version was made from the pending images; what follows for the target is up to the subclass.

    Attributes:
        made: the version.
        acknowledged: receipt of the request that completed the version.
    """

    made: Version
    acknowledged: Receipt | None

    def detail(self) -> dict[str, Any]:
        record = self.made.record
        return {"version": record.number, "parent": record.parent, "scores": record.scores}

    @property
    def version(self) -> Version | None:
        return self.made

    @property
    def receipt(self) -> Receipt | None:
        return self.acknowledged


@dataclass(frozen=True)
class VersionPublished(VersionMade):
    """The pending images became a version, which is served from now on.

    Attributes:
        made: the version.
        acknowledged: receipt of the request that completed the version.
    """

    made: Version
    acknowledged: Receipt | None = None

    @property
    def kind(self) -> EventKind:
        return "published"

    def applied_to(self, target: Target) -> Target:
        return replace(target, state=self.made.state, serving=self.made.number)


@dataclass(frozen=True)
class VersionRejected(VersionMade):
    """The publication guard rejected a version; the target returns to the state of the served one.

    Attributes:
        made: the rejected version; it is kept for inspection.
        state: state of the served version.
        admission: admission snapshot of the served version.
        acknowledged: receipt of the request that completed the version.
    """

    made: Version
    state: OnlineState
    admission: bytes
    acknowledged: Receipt | None = None

    @property
    def kind(self) -> EventKind:
        return "rejected"

    def applied_to(self, target: Target) -> Target:
        return replace(target, state=self.state, admission=self.admission)

    def detail(self) -> dict[str, Any]:
        return {**super().detail(), "reason": self.made.record.reason}


@dataclass(frozen=True)
class LabelMoved(Change):
    """By hand, the label ``serving`` moved to another version, from which adaptation continues.

    Attributes:
        to: the version that is served from now on.
        previous: number of the version that was served before.
        move: how: promoted, rolled back, or reset to the exported version.
    """

    voids_receipts: ClassVar[bool] = True

    to: Version
    previous: int
    move: MoveKind = "promoted"

    @property
    def kind(self) -> EventKind:
        return self.move

    def applied_to(self, target: Target) -> Target:
        return replace(
            target, serving=self.to.number, state=self.to.state, admission=self.to.admission
        )

    def detail(self) -> dict[str, Any]:
        return {"version": self.to.number, "previous": self.previous}


@dataclass(frozen=True)
class ShadowMoved(Change):
    """The label ``shadow`` moved to another version, or was removed.

    Attributes:
        to: number of the version that has it from now on; None if none has.
        previous: number of the version that had it before; None if none had.
    """

    to: int | None
    previous: int | None

    @property
    def kind(self) -> EventKind:
        return "shadow_removed" if self.to is None else "shadow_set"

    def applied_to(self, target: Target) -> Target:
        return replace(target, shadow=self.to)

    def detail(self) -> dict[str, Any]:
        return {"version": self.to, "previous": self.previous}


@dataclass(frozen=True)
class Frozen(Change):
    """Adaptation was switched off."""

    @property
    def kind(self) -> EventKind:
        return "frozen"

    def applied_to(self, target: Target) -> Target:
        return replace(target, frozen=True)


@dataclass(frozen=True)
class Unfrozen(Change):
    """Adaptation was switched on again."""

    @property
    def kind(self) -> EventKind:
        return "unfrozen"

    def applied_to(self, target: Target) -> Target:
        return replace(target, frozen=False)
