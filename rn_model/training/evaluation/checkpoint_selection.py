"""Which of the networks that a training passes through is kept, decided without target labels."""

import copy
from typing import Any

from torch import Tensor, nn

from rn_model.runs.selection import Candidate, mean_score

TOLERANCE = 0.02


class Keeper:
    """Keeps the weights with the best label-free score among those still good on the source.

    Certain and diverse predictions can be wrong ones, so a network must not have paid for them with
    what it knew: its source accuracy may be at most ``tolerance`` below the floor.

    Args:
        floor: source accuracy before the adaptation; None to learn it from the first candidate.
        last: keep the last candidate instead.
        tolerance: see above.

    Attributes:
        step: of the candidate that is kept; None before the first.
        stale: candidates since then.
    """

    def __init__(
        self, floor: float | None, *, last: bool = False, tolerance: float = TOLERANCE
    ) -> None:
        self.floor = floor
        self.step: int | None = None
        self.stale = 0
        self._last = last
        self._tolerance = tolerance
        self._rank = (False, float("-inf"))
        self._state: dict[str, Tensor] = {}

    def offer(self, network: nn.Module, candidate: Candidate, step: int) -> bool:
        """Consider a network; whether it is kept."""
        if self.floor is None:
            self.floor = candidate.source_accuracy
        allowed = candidate.source_accuracy >= self.floor - self._tolerance
        rank = (allowed, mean_score(candidate.scores))
        self.stale += 1
        if not self._last and self.step is not None and rank <= self._rank:
            return False
        self.stale = 0
        self.step = step
        self._rank = rank
        self._state = {
            name: value.detach().cpu().clone() for name, value in network.state_dict().items()
        }
        return True

    def restore(self, network: nn.Module) -> None:
        """Give a network the weights that were kept."""
        if self._state:
            network.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """All that a checkpoint has to hold."""
        state = copy.copy(vars(self))
        del state["_last"], state["_tolerance"]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The counterpart of :meth:`state_dict`."""
        vars(self).update(state)
