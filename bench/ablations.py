"""Measures the parts of RN: ``python -m bench.ablations --data FOLDER --out runs/ablations``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.claim import measure
from rn_model.compare.findings.differences import differences_table
from rn_model.compare.findings.tables import as_rich


def main(
    data: Annotated[Path, typer.Option(help="Folder with MNIST.npz and USPS.npz.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/ablations"),
    jobs: Annotated[int, typer.Option(min=1, help="Number of parallel runs.")] = 2,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 5,
    only: Annotated[str, typer.Option(help="Train only runs whose path contains this text.")] = "",
) -> None:
    """Train the grid, resuming an interrupted one, and compare each variant with the full method."""
    console = Console(width=160)
    grid, findings = measure(
        "ablations", out, data=data, jobs=jobs, seeds=seeds, only=only, console=console
    )
    for objective in grid.objectives:
        console.print(as_rich(differences_table(grid, findings, "rn", objective.name)))
    console.print("\nA difference within twice its standard error may be due to chance.")


if __name__ == "__main__":
    typer.run(main)
