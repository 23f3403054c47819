"""Printed to handwritten digits over several seeds: ``python -m bench.digits --seeds 5``."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from rn_model.digits.experiment import ExperimentConfig, run_experiment
from rn_model.results import Row

_COLUMNS = {
    "target accuracy": ("oracle_target_accuracy", 100.0),
    "source accuracy": ("source_accuracy", 100.0),
    "information": ("information", 1.0),
    "nuclear norm": ("nuclear_norm", 1.0),
    "seconds": ("seconds", 1.0),
}


def summary_table(runs: Sequence[Sequence[Row]]) -> Table:
    """Mean and standard deviation over runs, one row a model; accuracies in percent."""
    table = Table("model", box=None, pad_edge=False)
    for title in (*_COLUMNS, "least accuracy"):
        table.add_column(title, justify="right")
    for rows in zip(*runs, strict=True):
        cells = [
            _mean_and_deviation([scale * float(getattr(row, field)) for row in rows])
            for field, scale in _COLUMNS.values()
        ]
        least = 100 * min(row.oracle_target_accuracy for row in rows)
        table.add_row(rows[0].name, *cells, f"{least:.1f}")
    return table


def main(
    seeds: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    steps: Annotated[int | None, typer.Option(min=1, help="Of each adaptation.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Of the CPU.")] = 1,
) -> None:
    """Run the example for seeds 0, 1, ... and print means and standard deviations."""
    console = Console(width=120)
    torch.set_num_threads(threads)
    runs: list[list[Row]] = []
    adapted: list[float] = []
    chosen: list[str] = []
    seconds: list[float] = []
    for seed in range(seeds):
        began = time.perf_counter()
        outcome = run_experiment(_config(steps).with_seed(seed))
        seconds.append(time.perf_counter() - began)
        runs.append(outcome.rows)
        chosen.append(outcome.chosen)
        adapted += [
            100 * row.oracle_target_accuracy for row in outcome.rows if row.name == chosen[-1]
        ]
        found = ", ".join(f"{row.name} {row.oracle_target_accuracy:.1%}" for row in outcome.rows)
        console.print(f"seed {seed}: {found}; chosen {outcome.chosen}; {seconds[-1]:.0f} s")
    console.print(summary_table(runs))
    console.print(
        f"Chosen without labels: {', '.join(chosen)}."
        f"\nTarget accuracy of what was chosen: {_mean_and_deviation(adapted)},"
        f" least {min(adapted):.1f}. A whole run takes"
        f" {_mean_and_deviation(seconds)} s with {threads} thread{'s' if threads > 1 else ''}."
        "\nTarget accuracy is on the images that were adapted to; their labels only report it."
    )


def _config(steps: int | None) -> ExperimentConfig:
    config = ExperimentConfig()
    if steps is None:
        return config
    return replace(config, training=replace(config.training, steps=steps))


def _mean_and_deviation(values: Sequence[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    digits = 3 if max(values) <= 1 else 1
    return f"{statistics.mean(values):.{digits}f} +- {deviation:.{digits}f}"


if __name__ == "__main__":
    typer.run(main)
