"""The command ``rn report``."""

from pathlib import Path
from typing import Annotated

import typer

from rn.failing import one_line


def report(
    run: Annotated[Path, typer.Argument(help="Directory of a training run, finished or not.")],
) -> None:
    """Write the HTML report of a training run.

    The report, report.html in the directory of the run, shows learning curves, predictions, features and
    normalization layers.
    """
    from rn_model.report import write_report

    with one_line(OSError, ValueError):
        path = write_report(run)
    typer.echo(f"Written to {path}")
