"""What the ledger keeps, as immutable records."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from service.adaptation.state import OnlineState

Status = Literal["exported", "published", "rejected"]


@dataclass(frozen=True)
class Target:
    """A target as the ledger has it.

    Attributes:
        id, name: of the target.
        revision: grows with every change.
        serving: number of the version that is served.
        frozen: whether adaptation is switched off.
        state: moments and counts, pending images included.
        admission: what :meth:`service.guards.admission.Admission.to_bytes` wrote.
    """

    id: int
    name: str
    revision: int
    serving: int
    frozen: bool
    state: OnlineState
    admission: bytes


@dataclass(frozen=True)
class Version:
    """An immutable version of a target's statistics.

    Attributes:
        number: 0 for the exported one.
        parent: the version that was served when this one was made.
        status: ``exported``, ``published``, or ``rejected`` by the gate.
        reason: why it was rejected.
        state: moments and count.
        admission: what was admitted up to it.
        fingerprint: SHA-256 of the moments.
        scores: what the gate measured.
        created_at: ISO 8601, UTC.
    """

    number: int
    parent: int | None
    status: Status
    reason: str | None
    state: OnlineState
    admission: bytes
    fingerprint: str
    scores: dict[str, float]
    created_at: str


@dataclass(frozen=True)
class Receipt:
    """An answer that was given under an idempotency key: hash of the request, and the answer."""

    key: str
    request: str
    response: dict[str, Any]


def first_version(state: OnlineState, admission: bytes) -> Version:
    """Version 0 of a target: what was exported."""
    return Version(
        number=0,
        parent=None,
        status="exported",
        reason=None,
        state=state,
        admission=admission,
        fingerprint=state.moments.fingerprint(),
        scores={},
        created_at=now(),
    )


def now() -> str:
    """The time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
