"""The command ``rn report``."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Directory of a training run, finished or not.")],
) -> None:
    """Write a run's learning curves, predictions, features and layers to one page, report.html."""
    try:
        from rn_model.report import write_report

        path = write_report(run)
    except ModuleNotFoundError as error:
        typer.echo(f"rn report: {error}; install reciprocal-norm[train] to write reports", err=True)
        raise typer.Exit(1) from error
    except (OSError, ValueError) as error:
        typer.echo(f"rn report: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"Written to {path}")
