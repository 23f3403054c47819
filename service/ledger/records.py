"""Immutable records of what the ledger keeps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

from bundle.moments import FlatMoments
from service.adaptation.memory import DomainMemory
from service.adaptation.state import OnlineState
from service.vocabulary import BatchStatus, EventKind, Mode, Status


@dataclass(frozen=True)
class Batch:
    """A batch that was merged into the state of a domain.

    Attributes:
        key: name of the batch.
        domain: number of the domain.
        client: name of the key of the client that posted it; None if it has none.
        images: number of its images that were admitted.
        weight: sum of their weights.
        moments: their raw moments, rounded to float32.
        memory: what is remembered of its images, see :class:`service.adaptation.memory.DomainMemory`.
    """

    key: str
    domain: int
    client: str | None
    images: int
    weight: float
    moments: FlatMoments
    memory: bytes


@dataclass(frozen=True)
class BatchRecord:
    """What became of a batch.

    Attributes:
        key: name of the batch.
        domain: number of the domain that it was merged into.
        client: name of the key of the client that posted it.
        images: number of its images that were admitted.
        status: what became of it.
        version: version that contains it, or was made without it; None while it is pending.
        created_at: time in ISO 8601, UTC.
    """

    key: str
    domain: int
    client: str | None
    images: int
    status: BatchStatus
    version: int | None
    created_at: str


@dataclass(frozen=True)
class Domain:
    """A domain that a target has been in.

    Attributes:
        number: 0 for the domain that the bundle was exported for.
        name: name that a person gave it; None if it has none.
        pinned: whether it is kept however many others come.
        version: version that was published in it last.
        state: its state when it was left, or at its last version.
        memory: what is remembered of its images.
        created_at, seen_at: times in ISO 8601, UTC.
    """

    number: int
    name: str | None
    pinned: bool
    version: int
    state: OnlineState
    memory: bytes
    created_at: str
    seen_at: str


@dataclass(frozen=True)
class Target:
    """A target as the ledger has it.

    Attributes:
        id: key of the target in the ledger.
        name: name of the target.
        revision: number of changes so far.
        serving: number of the version that is served.
        frozen: whether adaptation is switched off.
        folded: state of the domain without the batches that are pending.
        admission: memory of the domain without those batches, see
            :meth:`service.adaptation.memory.DomainMemory.to_bytes`.
        shadow: number of the version with the label ``shadow``; None if none has it.
        mode: what becomes of good versions.
        batches: batches that are in no version yet, oldest first.
        domains: all domains by number.
        probation: evidence about the served version, see :mod:`service.guards.probation`.
        strikes: number of versions in a row that were rolled back by the guards.
        max_count: maximum weight of past images in the state.
    """

    id: int
    name: str
    revision: int
    serving: int
    frozen: bool
    folded: OnlineState
    admission: bytes
    shadow: int | None = None
    mode: Mode = "auto"
    batches: tuple[Batch, ...] = ()
    domains: tuple[Domain, ...] = ()
    probation: dict[str, Any] | None = None
    strikes: int = 0
    max_count: float = float("inf")

    @cached_property
    def state(self) -> OnlineState:
        """The state of the domain with all pending batches."""
        return self.state_of(self.batches)

    def state_of(self, batches: Sequence[Batch]) -> OnlineState:
        """The state of the domain with some of the pending batches."""
        state = self.folded
        for batch in batches:
            state = state.merge(batch.moments, batch.images, self.max_count, batch.weight)
        return state

    @property
    def memory(self) -> DomainMemory:
        """What is remembered of the domain, with all pending batches."""
        memory = DomainMemory.from_bytes(self.admission)
        for batch in self.batches:
            own = DomainMemory.from_bytes(batch.memory)
            memory.add(own.window)
            if own.shares.size:
                memory.count_classes(own.shares[None], 1)
        return memory

    def domain(self, number: int) -> Domain | None:
        """A domain by its number."""
        return next((domain for domain in self.domains if domain.number == number), None)

    def with_domain(self, domain: Domain) -> "Target":
        """The target with a domain added or replaced."""
        others = (each for each in self.domains if each.number != domain.number)
        ordered = sorted([*others, domain], key=lambda each: each.number)
        return replace(self, domains=tuple(ordered))

    def after(self, change: "TargetChange") -> "Target":
        """The target after a change; a pure function of both."""
        return replace(change.applied_to(self), revision=self.revision + 1)


class TargetChange(Protocol):
    """The part of a change that :meth:`Target.after` uses; see :mod:`service.ledger.changes`."""

    def applied_to(self, target: Target) -> Target:
        """The target with the values that this change sets."""
        ...


@dataclass(frozen=True)
class VersionRecord:
    """The permanent record of a version, without its moments.

    Attributes:
        number: 0 for the exported version.
        parent: number of the version that was served when this one was made.
        status: ``exported``; ``published``; ``proposed``, to be promoted by hand; or ``rejected`` by a
            guard.
        reason: why it was rejected, or only proposed; None otherwise.
        count: effective number of images behind it.
        fingerprint: SHA-256 of the moments.
        scores: what the guards measured.
        created_at: time in ISO 8601, UTC.
        kept: whether the ledger still has its moments, so that it can be run.
        domain: number of the domain that it was made in.
    """

    number: int
    parent: int | None
    status: Status
    reason: str | None
    count: float
    fingerprint: str
    scores: dict[str, float]
    created_at: str
    kept: bool = True
    domain: int = 0


@dataclass(frozen=True)
class Version:
    """An immutable version of a target's statistics: its record, and what it takes to run it.

    Attributes:
        record: everything but the statistics.
        state: moments and count.
        admission: memory of everything admitted up to it.
    """

    record: VersionRecord
    state: OnlineState
    admission: bytes

    @property
    def number(self) -> int:
        """Number of the version."""
        return self.record.number


@dataclass(frozen=True)
class Event:
    """Something that happened to a target.

    Attributes:
        id: position in the history; grows with time.
        at: time in ISO 8601, UTC.
        kind: what happened.
        detail: JSON values that depend on the kind; see :mod:`service.ledger.changes`.
    """

    id: int
    at: str
    kind: EventKind
    detail: dict[str, Any]


@dataclass(frozen=True)
class Receipt:
    """An outcome that was acknowledged under an idempotency key.

    Attributes:
        key: the key.
        request: hash by which the same request is recognized.
        outcome: what became of the request, as JSON values.
    """

    key: str
    request: str
    outcome: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """A part of a list that grows.

    Attributes:
        limit: maximum number of items.
        before: only items before this one, the last ``limit`` of them; None for the end of the list.
        after: only items after this one, the first ``limit`` of them; None for no such bound.
    """

    limit: int
    before: int | None = None
    after: int | None = None


def make_version(
    number: int,
    state: OnlineState,
    admission: bytes,
    *,
    parent: int | None = None,
    status: Status = "exported",
    reason: str | None = None,
    scores: dict[str, float] | None = None,
) -> Version:
    """A version that is made now; by default version 0, the exported one."""
    record = VersionRecord(
        number=number,
        parent=parent,
        status=status,
        reason=reason,
        count=state.count,
        fingerprint=state.moments.fingerprint(),
        scores=scores or {},
        created_at=now(),
        domain=state.domain,
    )
    return Version(record, state.without_pending(), admission)


def now() -> str:
    """The present time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
