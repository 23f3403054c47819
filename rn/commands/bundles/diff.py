"""The command ``rn diff``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bundle.errors import BundleError
from rn.failing import fail, one_line
from rn.options.common import AsJson

PLOTS = (".png", ".svg", ".pdf")


def diff(
    first: Annotated[Path, typer.Argument(help="Directory of a bundle.")],
    second: Annotated[Path, typer.Argument(help="Directory of the bundle to compare it with.")],
    as_json: AsJson = False,
    plot: Annotated[
        Path | None, typer.Option(help="Plot the differences to this .png, .svg or .pdf file.")
    ] = None,
) -> None:
    """Compare two bundles: statistics, weights and manifests.

    Exits with status 0 if they are equal, 1 if they differ, 2 if one cannot be read.
    """
    from bundle.inspection.difference import compare
    from bundle.reading.loading import load_bundle
    from rn.commands.bundles.tables import show_difference

    if plot is not None and plot.suffix.lower() not in PLOTS:
        fail(f"{plot}: a plot's name must end in one of {', '.join(PLOTS)}")
    with one_line(BundleError, OSError):
        difference = compare(load_bundle(first), load_bundle(second))
    if as_json:
        typer.echo(json.dumps(difference.to_json(), indent=2))
    else:
        show_difference(difference)
    if plot is not None:
        from bundle.inspection.difference_plot import plot_difference

        with one_line(BundleError, OSError):
            plot_difference(difference, plot)
    raise typer.Exit(0 if difference.equal else 1)
