"""The command ``rn diff``."""

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from bundle.inspection.difference import Difference, compare
from bundle.reading.loading import load_bundle
from rn.commands.bundle_tables import show_difference
from rn.commands.failing import one_line

TROUBLE = 2
PLOTS = (".png", ".svg", ".pdf")


def diff(
    first: Annotated[Path, typer.Argument(help="A bundle.")],
    second: Annotated[Path, typer.Argument(help="Another.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the differences into this .png, .svg or .pdf file.")
    ] = None,
) -> None:
    """Tell how two bundles differ: statistics layer by layer, weights, and what their manifests say.

    Exits with status 0 if they are the same, 1 if they differ, 2 if one cannot be read.
    """
    if plot is not None and plot.suffix.lower() not in PLOTS:
        _fail(f"{plot}: a plot's name must end in one of {', '.join(PLOTS)}")
    with one_line("diff", TROUBLE):
        difference = compare(load_bundle(first), load_bundle(second))
    if as_json:
        typer.echo(json.dumps(difference.to_json(), indent=2))
    else:
        show_difference(difference)
    if plot is not None:
        _plot(difference, plot)
    raise typer.Exit(0 if difference.equal else 1)


def _plot(difference: Difference, path: Path) -> None:
    try:
        from bundle.inspection.difference_plot import plot_difference
    except ModuleNotFoundError:
        _fail("--plot needs matplotlib: pip install matplotlib")
    with one_line("diff", TROUBLE):
        plot_difference(difference, path)


def _fail(message: str) -> NoReturn:
    typer.echo(f"rn diff: {message}", err=True)
    raise typer.Exit(TROUBLE)
