"""The outcome of a batch of unlabelled images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.moments import FlatMoments
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
class Left:
    """A domain that ended within a batch.

    Attributes:
        state: its last state.
        memory: what is remembered of its images.
    """

    state: OnlineState
    memory: bytes


@dataclass(frozen=True)
class BatchOutcome:
    """The outcome of a batch, and the state that it leaves.

    Attributes:
        received: number of images in the batch.
        images: images that were merged into the state; earlier held ones may be among them.
        not_admitted: images of the batch that were not.
        state: state after the batch.
        moments: raw moments of ``images``, rounded to float32; None if there are none.
        weight: sum of the weights of ``images`` in these.
        memory: what is remembered of the batch alone.
        held: number of images that wait for more evidence of a change, or are foreign.
        alarm: what is alarming about the batch, if anything is.
        left: the domain that ended with the batch; None if it goes on.
        recalled: whether the domain that began is an earlier one.
        elsewhere: number of images that were merged without being here: those of an archive.
        logits: predictions ``(N, K)`` of the adapted network for the images, in parts, each with its number
            of images; None for a part that the served version has to predict.
    """

    received: int
    images: Sequence[Pixels]
    not_admitted: Sequence[NotAdmitted]
    state: OnlineState
    moments: FlatMoments | None
    weight: float
    memory: bytes
    held: int
    alarm: str | None
    left: Left | None
    recalled: bool
    logits: Sequence[tuple[int, NDArray[np.float32] | None]]
    elsewhere: int = 0

    @property
    def admitted(self) -> int:
        """Number of images that were merged into the state."""
        return len(self.images) + self.elsewhere

    @property
    def new_domain(self) -> bool:
        """Whether a domain began that was never seen before."""
        return self.left is not None and not self.recalled
