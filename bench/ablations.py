"""What the parts of RN do: ``python -m bench.ablations --data FOLDER --out runs/ablations``."""

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
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once.")] = 2,
    seeds: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    only: Annotated[str, typer.Option(help="Part of the path of the runs to train.")] = "",
) -> None:
    """Train the grid, resuming where it stopped, and compare each variant with the whole method."""
    console = Console(width=160)
    grid, findings = measure(
        "ablations", out, data=data, jobs=jobs, seeds=seeds, only=only, console=console
    )
    for objective in grid.objectives:
        console.print(as_rich(differences_table(grid, findings, "rn", objective.name)))
    console.print("\nA difference within twice its standard error may be chance.")


if __name__ == "__main__":
    typer.run(main)
