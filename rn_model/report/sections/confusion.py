"""Chart of the confusion matrix, for two to hundreds of classes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.patches import Rectangle

from rn_model.report.charts.chart import Chart, color, draw, short
from rn_model.report.sections.classes import ClassReport, Floats

# Maximum numbers of classes for legible numbers in the cells, and for legible names at the edges.
_NUMBERED = 12
NAMED = 40
_RASTER_COLOR = "#3b7dd8"


def confusion_chart(report: ClassReport) -> Chart:
    """Draw the confusion matrix; the shades of a row are shares of its true class.

    The diagonal shows the recall of each class.
    """
    count = len(report.names)
    named = count <= NAMED
    side = max(4.6, 1.6 + 0.17 * count) if named else 6.0
    caption = (
        "Rows are true classes, columns are predicted classes. A stronger colour is a larger share of the"
        " row."
    )
    if not named:
        caption += " Class numbers are those in the table."
    return Chart(
        "Confusion matrix",
        draw(
            "confusion",
            f"Confusion matrix of {count} classes on {report.labelled} labelled images, accuracy"
            f" {report.accuracy:.1%}. The tables contain the same numbers.",
            lambda axes: _paint(axes, report),
            size=(side, side * 0.92),
        ),
        caption,
        dense=named and count > _NUMBERED,
    )


def _paint(axes: Axes, report: ClassReport) -> None:
    count = len(report.names)
    shares = report.confusion / np.maximum(report.confusion.sum(axis=1, keepdims=True), 1)
    if count <= NAMED:
        _paint_cells(axes, report, shares)
        size = 9 if count <= _NUMBERED else 7.5
        labels = [short(name, 14) for name in report.names]
        axes.set_xticks(range(count), labels, rotation=90 if count > 6 else 0, fontsize=size)
        axes.set_yticks(range(count), labels, fontsize=size)
    else:
        # One image instead of a hundred thousand shapes; the square root makes rare confusions visible.
        picture = np.empty((*shares.shape, 4))
        picture[..., :3] = to_rgb(_RASTER_COLOR)
        picture[..., 3] = np.where(shares > 0, 0.15 + 0.85 * np.sqrt(shares), 0)
        axes.imshow(picture, interpolation="none")
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.grid(visible=False)


def _paint_cells(axes: Axes, report: ClassReport, shares: Floats) -> None:
    filled = np.argwhere(shares > 0)
    cells = [Rectangle((predicted - 0.48, true - 0.48), 0.96, 0.96) for true, predicted in filled]
    shades = [to_rgba(color("accent"), 0.05 + 0.95 * shares[true, k]) for true, k in filled]
    axes.add_collection(PatchCollection(cells, facecolors=shades, linewidths=0))
    if len(report.names) > _NUMBERED:
        return
    for true, predicted in filled:
        axes.text(
            predicted,
            true,
            f"{report.confusion[true, predicted]}",
            ha="center",
            va="center",
            fontsize=9,
            color=color("paper" if shares[true, predicted] > 0.5 else "ink"),
        )
