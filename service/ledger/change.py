"""What every change of a target has: who made it, what it sets, and what is recorded with it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from service.ledger.records import Batch, Receipt, Target, Version
from service.vocabulary import BatchStatus, EventKind


@dataclass(frozen=True)
class Actor:
    """Who makes a change, and why.

    Attributes:
        by: name of the key; ``guard`` for the service itself; None if the caller has no key.
        reason: why, in the words of the caller or of the guard.
    """

    by: str | None = None
    reason: str | None = None

    def detail(self) -> dict[str, Any]:
        """Details of an event."""
        return {"by": self.by, "reason": self.reason}


NOBODY = Actor()


@dataclass(frozen=True)
class Settled:
    """What became of batches.

    Attributes:
        keys: names of the batches.
        status: what became of them.
        version: the version that contains them, or was made without them.
    """

    keys: Sequence[str]
    status: BatchStatus
    version: int | None


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

    @property
    def batch(self) -> Batch | None:
        """The batch to add to the ledger, if the change brings one."""
        return None

    def settled(self, target: Target) -> Sequence[Settled]:
        """What became of pending batches of the target as it was before."""
        return ()

    @property
    def forgotten(self) -> int | None:
        """Number of the domain to remove, if there is one."""
        return None
