"""Progress of a training, readable in a terminal and in a log file."""

import time

from rich.console import Console

from rn_model.training import Report

_LINES = 4


class ProgressLines:
    """Prints a line for each quarter of a training."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def start(self, name: str) -> Report:
        """Announce a training and return what reports its steps."""
        began = time.perf_counter()
        self._console.print(f"Training: {name}", markup=False)

        def report(step: int, steps: int, loss: float) -> None:
            if step * _LINES // steps > (step - 1) * _LINES // steps:
                seconds = time.perf_counter() - began
                self._console.print(
                    f"  step {step:>{len(str(steps))}}/{steps}  loss {loss:.3f}  {seconds:.1f} s",
                    highlight=False,
                )

        return report
