"""Plots the difference between two bundles."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from bundle.inspection.difference import Difference
from bundle.writing.atomic import write_file

_PANELS = (
    ("mean_shift", "shift of target means, in standard deviations"),
    ("log_variance", "|log ratio| of target variances"),
    ("scale_change", "change of effective scale"),
    ("shift_change", "change of effective shift"),
)


def plot_difference(difference: Difference, path: Path) -> None:
    """Write a picture with one panel per measure and one bar per site, in the order of the network.

    Args:
        difference: what to plot.
        path: file to write; its suffix selects the format.

    Raises:
        ValueError: if matplotlib does not support the format.
        OSError: if the file cannot be written.
    """
    names = [site.name for site in difference.sites]
    rows = range(len(names))
    figure = Figure(figsize=(16, 2 + 0.22 * len(names)), layout="constrained")
    for axes, (field, title) in zip(figure.subplots(1, 4, sharey=True), _PANELS, strict=True):
        axes.barh(rows, [getattr(site, field) for site in difference.sites])
        axes.set_xlim(left=0)
        axes.set_title(title, fontsize="medium")
        axes.set_yticks(rows, names, fontsize="small")
        axes.grid(axis="x", alpha=0.3)
    figure.axes[0].invert_yaxis()
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=110)
    write_file(path, buffer.getvalue())
