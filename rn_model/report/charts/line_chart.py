"""Line charts over the steps of both stages of a training."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from rn_model.report.charts.chart import Key, color, draw, listed
from rn_model.report.run_files import Entry

Values = NDArray[np.float64]


class Curve(NamedTuple):
    """A line of a chart: finite values ``y`` at positions ``x``, and its style."""

    key: Key
    x: Values
    y: Values


class Timeline(NamedTuple):
    """An axis with the steps of both stages, one after the other.

    Attributes:
        boundary: number of steps of the source stage; 0 if there were none.
        both: whether there are entries of both stages.
        selected: position of the step that was kept; None if unknown.
    """

    boundary: int
    both: bool
    selected: int | None

    def place(self, entry: Entry) -> int:
        """Position of an entry of the history on the axis."""
        return int(entry["step"]) + (self.boundary if entry["stage"] != "source" else 0)

    def step(self, place: float) -> float:
        """Step within its stage at a position on the axis."""
        return place - self.boundary if self.both and place > self.boundary else place


def draw_lines(
    name: str,
    what: str,
    curves: Sequence[Curve],
    line: Timeline,
    *,
    smooth: bool = False,
    marks: bool = False,
    share: bool = False,
    zero: bool = False,
    floor: float | None = None,
) -> Markup:
    """Draw curves.

    Args:
        name: name of the chart, unique on the page.
        what: what the lines show, for screen readers.
        curves: the lines.
        line: the axis.
        smooth: whether to draw the mean over neighbours, with the values faintly behind it.
        marks: whether to mark every value with a dot.
        share: whether to show the values as percentages.
        zero: whether the vertical axis must start at 0.
        floor: value to mark with a horizontal line.
    """

    def paint(axes: Axes) -> None:
        for curve in curves:
            _paint_curve(
                axes, curve, smooth=smooth, marks=marks, boundary=line.boundary if line.both else 0
            )
        if floor is not None:
            axes.axhline(floor, color=color("c2"), linestyle=(0, (5, 4)), linewidth=1)
        _paint_stages(axes, line)
        if share:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        if zero:
            axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xlabel("step of each stage" if line.both else "step")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{line.step(x):,.0f}"))

    return draw(name, f"{what} over the training steps. {_in_words(curves)}", paint)


def smoothed(y: Values, window: int) -> Values:
    """Moving average over ``window`` (odd) neighbours, or over fewer at both ends."""
    if len(y) == 0:
        return y
    kernel = np.ones(window)
    sums = np.convolve(y, kernel)[window // 2 :][: len(y)]
    counts = np.convolve(np.ones(len(y)), kernel)[window // 2 :][: len(y)]
    result: Values = sums / counts
    return result


def _paint_curve(axes: Axes, curve: Curve, *, smooth: bool, marks: bool, boundary: int) -> None:
    # Each stage has its own losses, so no line may connect the two stages.
    before = curve.x <= boundary
    for part in (before, ~before) if boundary else (curve.x >= 0,):
        x, y = curve.x[part], curve.y[part]
        window = max(1, len(x) // 20) | 1
        paint = color(curve.key.color)
        if smooth and window > 1:
            axes.plot(x, y, alpha=0.3, linewidth=0.8, color=paint)
            y = smoothed(y, window)
        axes.plot(
            x,
            y,
            linestyle=":" if curve.key.mark == "dotted" else "-",
            marker="o" if marks or len(x) == 1 else "",
            markersize=3.5,
            color=paint,
        )


def _paint_stages(axes: Axes, line: Timeline) -> None:
    if line.both:
        axes.axvline(line.boundary, color=color("muted"), linewidth=0.8)
        for text, side, shift in (("source", "right", -4), ("adaptation", "left", 4)):
            axes.annotate(
                text,
                (line.boundary, 1),
                xycoords=axes.get_xaxis_transform(),
                xytext=(shift, 3),
                textcoords="offset points",
                ha=side,
                color=color("muted"),
                fontsize=9,
            )
    if line.selected is not None:
        axes.axvline(line.selected, color=color("ink"), linestyle=(0, (3, 3)), linewidth=1.2)


def _in_words(curves: Sequence[Curve]) -> str:
    said = [
        f"{curve.key.label} from {curve.y[0]:.3g} to {curve.y[-1]:.3g}"
        for curve in curves
        if len(curve.y)
    ]
    return f"{listed(said)}." if said else "No values were recorded."
