"""Lets a signal stop a training between two steps instead of in the middle of one."""

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
_NOTED = b"\nstopping as soon as a checkpoint is written; once more stops at once\n"


class Interruption:
    """Within the block, SIGINT and SIGTERM are noted; a second one stops the process at once.

    Args:
        tell: whether the first one is acknowledged on the terminal, if there is one.
    """

    def __init__(self, *, tell: bool = False) -> None:
        self.requested = False
        self._tell = tell
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
        """Whether to stop now: every process of a training gets the same answer in the same step."""
        if world_size() == 1:
            return self.requested
        flag = torch.tensor(int(self.requested), device=device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # A signal may come in the middle of a print, in which another must not begin.
        if self._tell and os.isatty(2):
            with suppress(OSError):
                os.write(2, _NOTED)
