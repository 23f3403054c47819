"""Checkpoint selection: which network of a training is kept."""

import copy
from typing import Any

from torch import Tensor, nn

from rn_model.runs.selection import TOLERANCE, Candidate, mean_score


class CheckpointSelector:
    """Keeps the weights with the best label-free score among those that are still good on the source.

    Confident and diverse predictions can be wrong, so a candidate must not have lost what it learned
    on the source: its source accuracy may be at most ``tolerance`` below the floor. Candidates below
    are only kept if none is above. If the candidates were measured on labelled target images (a probe),
    the one with the most correct predictions there is kept instead; the score decides between equals.

    Args:
        floor: source accuracy before the adaptation; None to use that of the first candidate.
        last: keep the last candidate instead of the best one.
        tolerance: permitted loss of source accuracy, see :func:`rn_model.runs.selection.source_tolerance`.

    Attributes:
        floor: source accuracy before the adaptation; None if unknown.
        step: step of the kept candidate, 0 for the network before the adaptation; None before the first.
        stale: number of candidates since the kept one.
        target_statistics: whether the kept candidate normalizes target images with statistics of their
            own; False for the source-only network as it was trained.
    """

    def __init__(
        self, floor: float | None, *, last: bool = False, tolerance: float = TOLERANCE
    ) -> None:
        self.floor = floor
        self.step: int | None = None
        self.stale = 0
        self.target_statistics = True
        self._last = last
        self._tolerance = tolerance
        self._rank: tuple[float, ...] = (False, float("-inf"))
        self._state: dict[str, Tensor] = {}

    def offer(
        self,
        network: nn.Module,
        candidate: Candidate,
        step: int,
        *,
        target_statistics: bool = True,
    ) -> bool:
        """Offer a candidate; return whether it is kept."""
        if self.floor is None:
            self.floor = candidate.source_accuracy
        allowed = candidate.source_accuracy >= self.floor - self._tolerance
        rank: tuple[float, ...] = (allowed, mean_score(candidate.scores))
        if candidate.probe is not None:
            rank = (candidate.probe.correct, *rank)
        self.stale += 1 if step else 0  # several networks precede the first step
        if not self._last and self.step is not None and rank <= self._rank:
            return False
        self.stale = 0
        self.step = step
        self.target_statistics = target_statistics
        self._rank = rank
        self._state = {
            name: value.detach().cpu().clone() for name, value in network.state_dict().items()
        }
        return True

    def restore(self, network: nn.Module) -> None:
        """Load the kept weights into a network."""
        if self._state:
            network.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """State to save in a checkpoint."""
        state = copy.copy(vars(self))
        del state["_last"], state["_tolerance"]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from :meth:`state_dict`."""
        vars(self).update(state)
