"""Trains the built-in example with several seeds: ``python -m bench.digits --seeds 5``."""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from rn_model.training.config_file import load_config
from rn_model.training.run import train

RECIPE = "printed-digits"


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Train the example with seeds 0, 1, ... and print means and standard deviations."""
    console = Console(width=120, highlight=False)
    torch.set_num_threads(threads)
    before: list[float] = []
    after: list[float] = []
    source: list[float] = []
    seconds: list[float] = []
    for seed in range(seeds):
        config, base = load_config(RECIPE, overrides={"seed": seed})
        with tempfile.TemporaryDirectory() as folder:
            result = train(config, Path(folder) / "run", base=base, tensorboard=False)
        assert result.before is not None
        before.append(100 * (result.before.oracle_target_accuracy or 0.0))
        after.append(100 * (result.oracle_target_accuracy or 0.0))
        source.append(100 * result.source_accuracy)
        seconds.append(result.seconds)
        console.print(
            f"seed {seed}: source only {before[-1]:.1f}, {result.method} {after[-1]:.1f}"
            f" (step {result.chosen_step} of {result.steps}), {seconds[-1]:.0f} s"
        )
    console.print(f"target accuracy, source only: {_summary(before)}")
    console.print(f"target accuracy, {result.method}: {_summary(after)}")
    console.print(f"source accuracy: {_summary(source)}")
    console.print(f"seconds of a run with {threads} thread(s): {_summary(seconds)}")
    console.print(
        "Target accuracy is measured on the images adapted to; their labels are used only to report it."
    )


def _summary(values: Sequence[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.1f} +- {deviation:.1f}, minimum {min(values):.1f}"


if __name__ == "__main__":
    typer.run(main)
