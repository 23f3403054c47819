"""What images do to a target, one immutable class per kind of change.

A change says which values of the target it sets (:meth:`service.ledger.change.Change.applied_to`, a pure
function), what else is recorded with it, and how its event reads.
:meth:`service.ledger.ledger.Ledger.append` writes it in one transaction. What people do is in
:mod:`service.ledger.moves`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.adaptation.outcome import BatchOutcome
from service.ledger.change import Change, Settled
from service.ledger.records import Batch, Domain, Receipt, Target, Version
from service.vocabulary import EventKind


@dataclass(frozen=True)
class BatchMerged(Change):
    """A batch was judged, and what was admitted of it was merged into the state.

    Attributes:
        outcome: what became of its images.
        merged: what was admitted; None if nothing was.
        acknowledged: receipt of the request that carried the batch.
        probation: evidence about the served version after the batch.
    """

    outcome: BatchOutcome
    merged: Batch | None
    acknowledged: Receipt | None = None
    probation: dict[str, Any] | None = None

    @property
    def kind(self) -> EventKind:
        return "alarm" if self.outcome.alarm else "merged"

    def applied_to(self, target: Target) -> Target:
        new = replace(target, probation=self.probation)
        if self.merged is not None:
            new = replace(new, batches=(*target.batches, self.merged))
        return new

    def detail(self) -> dict[str, Any]:
        return describe(self.outcome)

    @property
    def receipt(self) -> Receipt | None:
        return self.acknowledged

    @property
    def batch(self) -> Batch | None:
        return self.merged


@dataclass(frozen=True)
class DomainEntered(Change):
    """The domain of a target changed; what was admitted of the batch is in the state of the new one.

    Attributes:
        outcome: what became of the images of the batch.
        left: the domain before, with its state and memory as they are kept.
        entered: the domain that begins, or has come back.
        serving: the version that is served from now on.
        acknowledged: receipt of the request that carried the batch.
    """

    outcome: BatchOutcome
    left: Domain
    entered: Domain
    serving: int
    acknowledged: Receipt | None = None

    @property
    def kind(self) -> EventKind:
        return "new_domain" if self.outcome.new_domain else "recalled_domain"

    def applied_to(self, target: Target) -> Target:
        new = replace(
            target,
            folded=self.entered.state,
            admission=self.entered.memory,
            batches=(),
            probation=None,
            serving=self.serving,
        )
        return new.with_domain(self.left).with_domain(self.entered)

    def detail(self) -> dict[str, Any]:
        return {
            **describe(self.outcome),
            "domain": self.entered.number,
            "previous_domain": self.left.number,
            "version": self.serving,
        }

    def settled(self, target: Target) -> Sequence[Settled]:
        return [Settled([batch.key for batch in target.batches], "merged", None)]

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
        return {
            "version": record.number,
            "parent": record.parent,
            "scores": record.scores,
            "domain": record.domain,
            "reason": record.reason,
        }

    @property
    def version(self) -> Version | None:
        return self.made

    @property
    def receipt(self) -> Receipt | None:
        return self.acknowledged

    def folded_into(self, target: Target) -> Target:
        """The target whose pending batches are contained in the version."""
        new = replace(target, folded=self.made.state, admission=self.made.admission, batches=())
        domain = target.domain(self.made.record.domain)
        if domain is None:
            return new
        kept = replace(domain, state=self.made.state, memory=self.made.admission)
        return new.with_domain(kept)


@dataclass(frozen=True)
class VersionPublished(VersionMade):
    """The pending images became a version, which is served from now on.

    Attributes:
        made: the version.
        acknowledged: receipt of the request that completed the version.
        left_out: names of batches that spoiled it, and are in no version.
        probation: evidence about it, none yet.
    """

    made: Version
    acknowledged: Receipt | None = None
    left_out: Sequence[str] = ()
    probation: dict[str, Any] | None = None

    @property
    def kind(self) -> EventKind:
        return "published"

    def applied_to(self, target: Target) -> Target:
        new = self.folded_into(target)
        number = self.made.number
        domain = new.domain(self.made.record.domain)
        if domain is not None:
            new = new.with_domain(replace(domain, version=number))
        return replace(new, serving=number, probation=self.probation)

    def settled(self, target: Target) -> Sequence[Settled]:
        return settle(target, self.left_out, self.made.number)


@dataclass(frozen=True)
class VersionProposed(VersionMade):
    """The pending images became a version, which carries the label ``shadow`` until a person promotes it.

    Attributes:
        made: the version.
        acknowledged: receipt of the request that completed the version.
        left_out: names of batches that spoiled it, and are in no version.
    """

    made: Version
    acknowledged: Receipt | None = None
    left_out: Sequence[str] = ()

    @property
    def kind(self) -> EventKind:
        return "proposed"

    def applied_to(self, target: Target) -> Target:
        return replace(self.folded_into(target), shadow=self.made.number)

    def settled(self, target: Target) -> Sequence[Settled]:
        return settle(target, self.left_out, self.made.number)


@dataclass(frozen=True)
class VersionRejected(VersionMade):
    """A guard rejected a version; batches that spoiled it are set aside, the others stay pending.

    Attributes:
        made: the rejected version; it is kept for inspection.
        set_aside: names of the batches that are in no version from now on.
        acknowledged: receipt of the request that completed the version.
    """

    made: Version
    set_aside: Sequence[str] = ()
    acknowledged: Receipt | None = None

    @property
    def kind(self) -> EventKind:
        return "rejected"

    def applied_to(self, target: Target) -> Target:
        left = tuple(batch for batch in target.batches if batch.key not in set(self.set_aside))
        return replace(target, batches=left)

    def detail(self) -> dict[str, Any]:
        return {**super().detail(), "set_aside": len(self.set_aside)}

    def settled(self, target: Target) -> Sequence[Settled]:
        return [Settled(list(self.set_aside), "set_aside", self.made.number)]


def describe(outcome: BatchOutcome) -> dict[str, Any]:
    """Details of the event of a batch."""
    return {
        "received": outcome.received,
        "admitted": outcome.admitted,
        "not_admitted": len(outcome.not_admitted),
        "held": outcome.held,
        "pending": outcome.state.pending,
        "alarm": outcome.alarm,
    }


def settle(target: Target, left_out: Sequence[str], version: int) -> list[Settled]:
    """The pending batches of a target: contained in a version, or left out of it."""
    merged = [batch.key for batch in target.batches if batch.key not in set(left_out)]
    return [Settled(merged, "merged", version), Settled(list(left_out), "set_aside", version)]
