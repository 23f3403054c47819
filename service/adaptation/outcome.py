"""The outcome of a batch of unlabelled images."""

from collections.abc import Sequence
from dataclasses import dataclass

from bundle.preprocessing import Pixels
from service.adaptation.state import OnlineState
from service.vocabulary import NotAdmittedKind


@dataclass(frozen=True)
class NotAdmitted:
    """An image of a batch that did not move the statistics.

    Attributes:
        index: position in the batch, from 0.
        kind: why, as one word for programs.
        reason: why, in words.
    """

    index: int
    kind: NotAdmittedKind
    reason: str


@dataclass(frozen=True)
class BatchOutcome:
    """The outcome of a batch, and the state that it leaves.

    Attributes:
        received: number of images in the batch.
        images: images that were merged into the state; earlier held ones may be among them.
        not_admitted: images of the batch that were not.
        state: state after the batch.
        admission: admission snapshot after the batch.
        held: number of outliers that are held in memory.
        alarm: why nothing of the batch was admitted, if it was alarming.
        new_domain: whether held images were admitted as a new domain.
    """

    received: int
    images: Sequence[Pixels]
    not_admitted: Sequence[NotAdmitted]
    state: OnlineState
    admission: bytes
    held: int
    alarm: str | None
    new_domain: bool

    @property
    def admitted(self) -> int:
        """Number of images that were merged into the state."""
        return len(self.images)
