"""Progress of a training, as JSON lines, as TensorBoard events and on the terminal."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bundle.writing.atomic import write_file
from rn_model.training.errors import writing
from rn_model.training.records.tensorboard import EventFile

FILE = "history.jsonl"
LOGS = "tensorboard"
_LINES = 10


class History:
    """Records the steps and evaluations of a run; only the first of several processes does.

    Args:
        path: directory of the run.
        console: terminal for messages and a progress bar; None for none.
        active: whether this process records anything.
        tensorboard: whether to write event files.

    Raises:
        TrainingError: from the constructor and from every method that writes, if the disk is full or
            not writable.
    """

    def __init__(
        self,
        path: Path,
        console: Console | None,
        *,
        active: bool = True,
        tensorboard: bool = True,
    ) -> None:
        self._active = active
        self._path = path / FILE
        self._console = console if active else None
        self._logs = path / LOGS
        self._events: EventFile | None = None
        if active and tensorboard:
            with writing(self._logs):
                self._events = EventFile(self._logs)
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end_stage()
        if self._events is not None:
            self._events.close()

    def say(self, text: str) -> None:
        """Print a line on the terminal."""
        if self._console is not None:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def forget_after(self, order: Mapping[str, int], stage: str | None, step: int) -> None:
        """Drop the entries written after the checkpoint from which the run resumes.

        Args:
            order: position of each stage by name.
            stage: stage of the checkpoint; None if there is no checkpoint.
            step: step of the checkpoint.
        """
        last = (-1 if stage is None else order[stage], step)
        if not self._active or not self._path.is_file():
            return
        kept: list[str] = []
        for line in self._path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # a line that was cut off
                continue
            if (order.get(entry["stage"], 0), entry["step"]) <= last:
                kept.append(f"{line}\n")
        with writing(self._path):
            write_file(self._path, "".join(kept).encode())

    def begin_stage(self, stage: str, step: int, steps: int) -> None:
        """Show a progress bar if there is a terminal."""
        if self._console is None or not self._console.is_terminal:
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._progress.start()
        self._progress.add_task(stage, total=steps, completed=step, rate="")

    def end_stage(self) -> None:
        """Remove the progress bar."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def step(self, entry: Mapping[str, Any], *, keep: bool) -> None:
        """Record a training step.

        Args:
            entry: with ``stage``, ``step``, ``steps``, ``loss`` and ``images_per_second``.
            keep: whether to write it to the files, too.
        """
        rate = f"{entry['images_per_second']:,.0f} images/s, loss {entry['loss']:.3f}"
        if self._progress is not None:
            task = self._progress.task_ids[0]
            self._progress.update(task, completed=entry["step"], rate=rate)
        if not keep:
            return
        self._write({"kind": "train", **entry})
        done, steps = entry["step"], entry["steps"]
        if self._progress is None and done * _LINES // steps > (done - 1) * _LINES // steps:
            self.say(f"  {entry['stage']} {done:>{len(str(steps))}}/{steps}  {rate}")

    def evaluation(self, entry: Mapping[str, Any]) -> None:
        """Record an evaluation of the network."""
        self._write({"kind": "evaluation", **entry})

    def amendment(self, entry: Mapping[str, Any]) -> None:
        """Record that settings or images have changed since the checkpoint."""
        self._write({"kind": "amendment", **entry})

    def _write(self, entry: Mapping[str, Any]) -> None:
        if not self._active:
            return
        with writing(self._path), self._path.open("a") as file:
            file.write(f"{json.dumps(entry)}\n")
        if self._events is not None:
            with writing(self._logs):
                self._events.write(_scalars(entry, f"{entry['stage']}/"), entry["step"])


def _scalars(entry: Mapping[str, Any], prefix: str) -> dict[str, float]:
    scalars: dict[str, float] = {}
    for name, value in entry.items():
        if isinstance(value, Mapping):
            scalars |= _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and name not in ("step", "steps"):
            scalars[f"{prefix}{name}"] = float(value)
    return scalars
