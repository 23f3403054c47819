"""Online targets without HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle import Pixels, load_bundle
from service.ledger.ledger import Ledger
from service.monitoring.metrics import Metrics
from service.monitoring.reporting import TargetReport
from service.targets.target import OnlineTarget
from tests.service.running import settings_for


@contextmanager
def target_of(bundle: Path, folder: Path, **changes: Any) -> Iterator[OnlineTarget]:
    """The target as a process that starts now would have it."""
    settings = settings_for(bundle, folder, **changes)
    ledger = Ledger(settings.ledger)
    try:
        report = TargetReport("small", "default", Metrics())
        yield OnlineTarget("default", load_bundle(bundle), ledger, settings, report)
    finally:
        ledger.close()


class Fixed:
    """Gives the images one class after another, with some certainty."""

    def __init__(self, start: int, certainty: float) -> None:
        self._start, self._certainty = start, certainty

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        """Logits ``(N, 3)``."""
        classes = (np.arange(len(pixels)) + self._start) % 3
        found: NDArray[np.float32] = np.eye(3, dtype=np.float32)[classes] * self._certainty
        return found
