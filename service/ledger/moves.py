"""What people do to a target, and the guards after publication, one immutable class per kind of change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from service.ledger.change import NOBODY, Actor, Change, Settled
from service.ledger.records import Domain, Target, Version
from service.vocabulary import EventKind, Mode

MoveKind = Literal["promoted", "rolled_back", "reset"]


@dataclass(frozen=True)
class LabelMoved(Change):
    """The label ``serving`` moved to another version, from which adaptation continues.

    Attributes:
        to: the version that is served from now on.
        previous: number of the version that was served before.
        move: how: promoted, rolled back, or reset to the exported version.
        actor: who did it, and why.
        strikes: number of versions in a row that the guards have rolled back.
    """

    voids_receipts: ClassVar[bool] = True

    to: Version
    previous: int
    move: MoveKind = "promoted"
    actor: Actor = NOBODY
    strikes: int = 0

    @property
    def kind(self) -> EventKind:
        return self.move

    def applied_to(self, target: Target) -> Target:
        new = replace(
            target,
            serving=self.to.number,
            folded=self.to.state,
            admission=self.to.admission,
            batches=(),
            probation=None,
            strikes=self.strikes,
        )
        domain = target.domain(self.to.record.domain)
        return new if domain is None else new.with_domain(replace(domain, version=self.to.number))

    def detail(self) -> dict[str, Any]:
        return {"version": self.to.number, "previous": self.previous, **self.actor.detail()}

    def settled(self, target: Target) -> Sequence[Settled]:
        return [Settled([batch.key for batch in target.batches], "set_aside", self.to.number)]


@dataclass(frozen=True)
class ShadowMoved(Change):
    """The label ``shadow`` moved to another version, or was removed.

    Attributes:
        to: number of the version that has it from now on; None if none has.
        previous: number of the version that had it before; None if none had.
        actor: who did it, and why.
    """

    to: int | None
    previous: int | None
    actor: Actor = NOBODY

    @property
    def kind(self) -> EventKind:
        return "shadow_removed" if self.to is None else "shadow_set"

    def applied_to(self, target: Target) -> Target:
        return replace(target, shadow=self.to)

    def detail(self) -> dict[str, Any]:
        return {"version": self.to, "previous": self.previous, **self.actor.detail()}


@dataclass(frozen=True)
class Frozen(Change):
    """Adaptation was switched off.

    Attributes:
        actor: who did it, and why.
    """

    actor: Actor = NOBODY

    @property
    def kind(self) -> EventKind:
        return "frozen"

    def applied_to(self, target: Target) -> Target:
        return replace(target, frozen=True)

    def detail(self) -> dict[str, Any]:
        return self.actor.detail()


@dataclass(frozen=True)
class Unfrozen(Change):
    """Adaptation was switched on again.

    Attributes:
        actor: who did it, and why.
    """

    actor: Actor = NOBODY

    @property
    def kind(self) -> EventKind:
        return "unfrozen"

    def applied_to(self, target: Target) -> Target:
        return replace(target, frozen=False, strikes=0)

    def detail(self) -> dict[str, Any]:
        return self.actor.detail()


@dataclass(frozen=True)
class ModeChanged(Change):
    """What becomes of good versions changed.

    Attributes:
        mode: the new mode.
        previous: the mode before.
        actor: who did it, and why.
    """

    mode: Mode
    previous: Mode
    actor: Actor = NOBODY

    @property
    def kind(self) -> EventKind:
        return "mode"

    def applied_to(self, target: Target) -> Target:
        return replace(target, mode=self.mode)

    def detail(self) -> dict[str, Any]:
        return {"mode": self.mode, "previous_mode": self.previous, **self.actor.detail()}


@dataclass(frozen=True)
class DomainChanged(Change):
    """A person named a domain, pinned it, or let go of it.

    Attributes:
        domain: the domain with its new name.
        actor: who did it, and why.
    """

    domain: Domain
    actor: Actor = NOBODY

    @property
    def kind(self) -> EventKind:
        return "domain_changed"

    def applied_to(self, target: Target) -> Target:
        return target.with_domain(self.domain)

    def detail(self) -> dict[str, Any]:
        return {"domain": self.domain.number, **self.actor.detail()}


@dataclass(frozen=True)
class DomainForgotten(Change):
    """An earlier domain was forgotten: it is not recalled any more.

    Attributes:
        number: number of the domain.
        actor: who did it, and why.
    """

    number: int
    actor: Actor = NOBODY

    @property
    def kind(self) -> EventKind:
        return "domain_forgotten"

    def applied_to(self, target: Target) -> Target:
        left = tuple(domain for domain in target.domains if domain.number != self.number)
        return replace(target, domains=left)

    def detail(self) -> dict[str, Any]:
        return {"domain": self.number, **self.actor.detail()}

    @property
    def forgotten(self) -> int | None:
        return self.number


@dataclass(frozen=True)
class EvidenceGiven(Change):
    """Somebody labelled images on which a version and its parent disagree.

    Attributes:
        about: number of the version.
        evidence: what all labels say, see :class:`service.guards.evidence.Evidence`.
        labelled: names of the images that have a label now.
        verdict: what they say, in a word.
        actor: who gave the labels, and what they say in words.
    """

    about: int
    evidence: dict[str, Any]
    labelled: Sequence[str]
    verdict: str
    actor: Actor = NOBODY

    @property
    def kind(self) -> EventKind:
        return "evidence"

    def applied_to(self, target: Target) -> Target:
        return target

    def detail(self) -> dict[str, Any]:
        return {
            "version": self.about,
            "labels": len(self.labelled),
            "verdict": self.verdict,
            "evidence": self.evidence,
            "labelled": list(self.labelled),
            **self.actor.detail(),
        }
