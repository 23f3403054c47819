"""Compares normalizations on digits: ``python -m bench.claim --data FOLDER --out runs/claim``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rn_model.compare.comparison import summarize, train_grid
from rn_model.compare.config import GridConfig
from rn_model.compare.execution import Options
from rn_model.compare.findings.differences import difference, differences_table
from rn_model.compare.findings.results import Finding
from rn_model.compare.findings.statistics import by_seed, spread
from rn_model.compare.findings.tables import TextTable, as_rich, percent, print_tables
from rn_model.compare.grid_file import load_grid
from rn_model.training.errors import Interrupted

# Published target accuracies in percent for the same protocols, with other networks and training.
PUBLISHED: dict[str, dict[str, float]] = {
    "mnist-usps-p1": {"source only": 75.2, "DANN": 77.1, "CoGAN": 91.2, "ADDA": 89.4},
    "usps-mnist-p1": {"source only": 57.1, "DANN": 73.0, "CoGAN": 89.1, "ADDA": 90.1},
    "mnist-usps-full": {
        "source only": 79.7,
        "CDAN+E": 95.6,
        "SHOT": 97.9,
        "AutoDIAL": 97.96,
        "DWT": 99.09,
        "trained on target labels": 97.0,
    },
    "usps-mnist-full": {
        "source only": 88.0,
        "CDAN+E": 98.0,
        "SHOT": 98.0,
        "AutoDIAL": 97.51,
        "DWT": 98.79,
        "trained on target labels": 99.2,
    },
}
_RIVAL = {"p1": "ADDA", "full": "SHOT"}
_METHOD = "rn"
_OBJECTIVE = "cdan+e"


def published_table() -> TextTable:
    """The accuracies that papers report, for comparison with ours."""
    names = list(dict.fromkeys(name for found in PUBLISHED.values() for name in found))
    rows = [
        (name, *(f"{found[name]:.1f}" if name in found else "-" for found in PUBLISHED.values()))
        for name in names
    ]
    return TextTable("published, %", ("method", *PUBLISHED), tuple(rows))


def claim_lines(grid: GridConfig, findings: Sequence[Finding]) -> list[str]:
    """Each claim with the numbers that support or refute it."""
    tasks = [task.name for task in grid.tasks]
    lines = [_against_published(grid, findings, task) for task in PUBLISHED if task in tasks]
    rivals = [entry.name for entry in grid.normalizations if entry.name != _METHOD]
    if any(entry.name == _OBJECTIVE for entry in grid.objectives):
        for name in rivals:
            lines.append(_against_rival(grid, findings, name))
    return lines


def _against_published(grid: GridConfig, findings: Sequence[Finding], task: str) -> str:
    rival = _RIVAL[task.rsplit("-", 1)[-1]]
    accuracy = PUBLISHED[task][rival]
    claim = f"{task}: RN with its best objective is above {rival}'s {accuracy}"
    found = [
        (cell, entry.name)
        for entry in grid.objectives
        if (cell := spread(list(_ours(findings, task, entry.name).values()))) is not None
    ]
    if not found:
        return f"not measured: {claim}"
    best, objective = max(found)
    points = 100 * best.mean - accuracy
    return (
        f"{_verdict(points > 0)}: {claim}: {percent(best)} with {objective} ({points:+.1f} points;"
        f" seeds: {best.size}; the objective is the best by labels)"
    )


def _against_rival(grid: GridConfig, findings: Sequence[Finding], name: str) -> str:
    claim = f"with {_OBJECTIVE}, mean of all tasks, RN is better than {name}"
    found = difference(grid, findings, _METHOD, name, _OBJECTIVE)
    if found is None or found.size == 1:
        return f"not measured: {claim}: at least two seeds are needed"
    numbers = f"{100 * found.mean:+.2f} points, standard error {100 * found.error:.2f}"
    return f"{_verdict(found.mean > 2 * found.error)}: {claim}: {numbers}, {found.size} seeds"


def _ours(findings: Sequence[Finding], task: str, objective: str) -> dict[int, float]:
    return by_seed(findings, task, _METHOD, objective, "oracle_target_accuracy")


def _verdict(holds: bool) -> str:
    return "holds" if holds else "does not hold"


def measure(
    name: str,
    out: Path,
    *,
    data: Path | None,
    jobs: int,
    seeds: int,
    only: str,
    console: Console,
) -> tuple[GridConfig, list[Finding]]:
    """Train the missing runs of a built-in grid and print its tables."""
    grid, base = load_grid(name)
    grid = grid.model_copy(update={"seeds": tuple(range(seeds))})
    findings = train_and_print(
        grid, out, base=base, data=data, jobs=jobs, only=only, console=console
    )
    return grid, findings


def train_and_print(
    grid: GridConfig,
    out: Path,
    *,
    base: Path = Path(),
    data: Path | None = None,
    jobs: int,
    only: str,
    console: Console,
) -> list[Finding]:
    """Train the missing runs of a grid and print its tables; exit with one line if that fails."""
    try:
        options = Options(processes=jobs)
        train_grid(grid, out, base=base, data=data, only=only, options=options, console=console)
    except ValueError as error:
        console.print(f"{error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except (Interrupted, KeyboardInterrupt) as error:
        console.print(f"{error}; the same command resumes", markup=False, soft_wrap=True)
        raise typer.Exit(130) from error
    findings, tables = summarize(grid, out)
    print_tables(tables, console)
    return findings


def main(
    data: Annotated[Path, typer.Option(help="Folder with MNIST.npz and USPS.npz.")],
    grid_name: Annotated[
        str,
        typer.Option("--grid", help="claim, or claim-full: full sets, wider network, more steps."),
    ] = "claim",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the runs. Default: runs/GRID.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of parallel runs.")] = 2,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 5,
    only: Annotated[str, typer.Option(help="Train only runs whose path contains this text.")] = "",
) -> None:
    """Train the grid, resuming an interrupted one, and report which claims hold."""
    console = Console(width=160)
    folder = out or Path("runs") / grid_name
    grid, findings = measure(
        grid_name, folder, data=data, jobs=jobs, seeds=seeds, only=only, console=console
    )
    console.print(as_rich(published_table()))
    for objective in grid.objectives:
        console.print(as_rich(differences_table(grid, findings, _METHOD, objective.name)))
    console.print(
        "\nA difference holds if it is greater than twice its standard error over paired seeds."
    )
    for line in claim_lines(grid, findings):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
