"""Immutable records of what the ledger keeps."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from service.adaptation.state import OnlineState
from service.vocabulary import EventKind, Status


@dataclass(frozen=True)
class Target:
    """A target as the ledger has it.

    Attributes:
        id: key of the target in the ledger.
        name: name of the target.
        revision: number of changes so far.
        serving: number of the version that is served.
        frozen: whether adaptation is switched off.
        state: moments and counts, pending images included.
        admission: admission snapshot, see :meth:`service.guards.admission.Admission.to_bytes`.
        shadow: number of the version with the label ``shadow``; None if none has it.
    """

    id: int
    name: str
    revision: int
    serving: int
    frozen: bool
    state: OnlineState
    admission: bytes
    shadow: int | None = None

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
        status: ``exported``, ``published``, or ``rejected`` by the publication guard.
        reason: why it was rejected; None if it was not.
        count: effective number of images behind it.
        fingerprint: SHA-256 of the moments.
        scores: what the publication guard measured.
        created_at: time in ISO 8601, UTC.
        kept: whether the ledger still has its moments, so that it can be run.
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


@dataclass(frozen=True)
class Version:
    """An immutable version of a target's statistics: its record, and what it takes to run it.

    Attributes:
        record: everything but the statistics.
        state: moments and count.
        admission: admission snapshot of everything admitted up to it.
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
    )
    return Version(record, state, admission)


def now() -> str:
    """The present time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
