"""Draws the difference of two bundles."""

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
    """Draw one panel a measure, one bar a site in the network's order, and write it to a file.

    Raises:
        ValueError: if the file's suffix names no format that matplotlib writes.
        OSError: if it cannot be written.
    """
    names = [site.name for site in difference.sites]
    places = range(len(names))
    figure = Figure(figsize=(16, 2 + 0.22 * len(names)), layout="constrained")
    for axes, (field, title) in zip(figure.subplots(1, 4, sharey=True), _PANELS, strict=True):
        axes.barh(places, [getattr(site, field) for site in difference.sites])
        axes.set_xlim(left=0)
        axes.set_title(title, fontsize="medium")
        axes.set_yticks(places, names, fontsize="small")
        axes.grid(axis="x", alpha=0.3)
    figure.axes[0].invert_yaxis()
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=110)
    write_file(path, buffer.getvalue())
