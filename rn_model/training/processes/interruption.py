"""Interruption of a training by SIGINT or SIGTERM, between two steps."""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Self

import torch
import torch.distributed as dist

from rn_model.layers.distributed import world_size

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTED = b"\nstopping after writing a checkpoint; interrupt again to stop immediately\n"


class Interruption:
    """Within the block, SIGINT and SIGTERM request a stop; a second one raises immediately.

    Args:
        acknowledge: whether to confirm the first signal on the terminal, if there is one.

    Attributes:
        requested: whether a signal has arrived in this process.
    """

    def __init__(self, *, acknowledge: bool = False) -> None:
        self.requested = False
        self._acknowledge = acknowledge
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def due(self, device: torch.device) -> bool:
        """Whether to stop now; all processes of a training get the same answer in the same step."""
        if world_size() == 1:
            return self.requested
        flag = torch.tensor(int(self.requested), device=device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # A signal may arrive in the middle of a print, which another print must not interrupt.
        if self._acknowledge and os.isatty(2):
            with suppress(OSError):
                os.write(2, _NOTED)
