"""The domains of a target: which may come back, and what people call them."""

from collections.abc import Sequence
from dataclasses import replace

from service.adaptation.estimator import Earlier
from service.adaptation.outcome import Left
from service.errors import DomainInUse, UnknownDomain
from service.ledger.change import NOBODY, Actor
from service.ledger.moves import DomainChanged, DomainForgotten
from service.ledger.records import Domain, Target, now
from service.targets.recorder import Recorder

EXPORTED = 0


def earlier_domains(target: Target, limit: int) -> dict[int, Earlier]:
    """The domains that may come back: the exported one first, then the last ones, and pinned ones."""
    others = [each for each in target.domains if each.number != target.state.domain]
    by_time = sorted(others, key=lambda each: each.seen_at, reverse=True)
    first = [each for each in by_time if each.number == EXPORTED]
    rest = [each for each in by_time if each.number != EXPORTED]
    chosen = [*first, *(each for i, each in enumerate(rest) if i < limit or each.pinned)]
    return {each.number: Earlier(each.state, each.memory) for each in chosen}


def next_number(target: Target) -> int:
    """The number that a new domain takes; none is used twice."""
    return max((domain.number for domain in target.domains), default=EXPORTED) + 1


def close_domain(target: Target, left: Left) -> Domain:
    """The record of the domain that a target leaves."""
    domain = _current(target)
    return replace(domain, state=left.state.without_pending(), memory=left.memory, seen_at=now())


def _current(target: Target) -> Domain:
    found = target.domain(target.folded.domain)
    assert found is not None
    return found


class Domains:
    """Names, pins and forgets the domains of a target.

    Args:
        recorder: record of the target.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @property
    def all(self) -> Sequence[Domain]:
        """All domains by number; that of the present has the state of its last version."""
        return self._recorder.target.domains

    def change(
        self, number: int, *, name: str | None, pinned: bool, actor: Actor = NOBODY
    ) -> Domain:
        """Name a domain, and pin it or let go of it.

        Raises:
            UnknownDomain: if there is no such domain.
        """
        with self._recorder.writing():
            domain = replace(self._find(number), name=name, pinned=pinned)
            self._recorder.append(DomainChanged(domain, actor))
        return domain

    def forget(self, number: int, actor: Actor = NOBODY) -> None:
        """Forget an earlier domain: its images will be those of a new one.

        Raises:
            UnknownDomain: if there is no such domain.
            DomainInUse: if the target is in it, or the bundle was exported for it.
        """
        with self._recorder.writing():
            self._forget(number, actor)

    def _forget(self, number: int, actor: Actor) -> None:
        self._find(number)
        if number in (EXPORTED, self._recorder.target.folded.domain):
            raise DomainInUse(
                f"domain {number} is the one that the target is in, or that the bundle was exported for;"
                " others can be forgotten"
            )
        self._recorder.append(DomainForgotten(number, actor))

    def _find(self, number: int) -> Domain:
        domain = self._recorder.target.domain(number)
        if domain is None:
            raise UnknownDomain(f"the target has no domain {number}; GET /domains lists them")
        return domain
