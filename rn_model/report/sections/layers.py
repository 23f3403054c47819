"""Diagnostics of the normalization layers, from the input of the network to its output."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rn_model.layers.functional import group_width
from rn_model.report.charts.chart import Chart, Key, color, draw, listed, short
from rn_model.report.run_files import Entry

Values = NDArray[np.float64]

# Maximum number of names that fit below a chart.
_NAMED = 24


class LayerRow(NamedTuple):
    """A row of the table of layers; values that a layer does not have are NaN.

    Attributes:
        name: name of the layer.
        channels: number of channels.
        groups: number of groups of channels that RC compares.
        shift_mean: distance between the means of both domains.
        shift_variance: distance between the variances of both domains.
        perplexity_mean: perplexity of the rows of RC for means, as a share of ``groups``.
        perplexity_variance: the same for variances.
        gate_mean: mean gate of the target for means.
        gate_variance: mean gate of the target for variances.
        alpha: share of the own domain in AutoDIAL and CCN.
    """

    name: str
    channels: int
    groups: int
    shift_mean: float
    shift_variance: float
    perplexity_mean: float
    perplexity_variance: float
    gate_mean: float
    gate_variance: float
    alpha: float


class _Plot(NamedTuple):
    name: str
    title: str
    caption: str
    keys: tuple[Key, ...]
    fields: tuple[str, ...]
    limits: tuple[float, float] | None = None


_MEAN, _VARIANCE = Key("mean", "c0", "dot"), Key("variance", "c1", "ring")
_PLOTS = (
    _Plot(
        "shift",
        "Shift between the domains",
        "Distance between target and source before any compensation: of the means in standard deviations,"
        " of the variances as the absolute logarithm of their ratio.",
        (_MEAN, _VARIANCE),
        ("shift_mean", "shift_variance"),
    ),
    _Plot(
        "perplexity",
        "Perplexity of RC",
        "As a share of the number of groups: at 1, every group is compensated by the average of the other"
        " domain; near 0, by the single most similar group.",
        (_MEAN, _VARIANCE),
        ("perplexity_mean", "perplexity_variance"),
        (0.0, 1.04),
    ),
    _Plot(
        "gates",
        "Gates of RA",
        "Mean of the target's gates: at 1, the domain keeps its own statistics; at 0.5, half of them come"
        " from the compensation.",
        (_MEAN, _VARIANCE),
        ("gate_mean", "gate_variance"),
    ),
    _Plot(
        "alpha",
        "Share of the own domain",
        "At 1, a domain is normalized by its own statistics; at 0.5, by those of both (AutoDIAL), or"
        " with a centre midway between both (CCN).",
        (Key("alpha", "c2", "dot"),),
        ("alpha",),
        (0.48, 1.02),
    ),
)


def layer_rows(layers: Sequence[Entry], groups: int | None = None) -> list[LayerRow]:
    """Turn the diagnostics of the layers into rows of a table.

    Args:
        layers: entries of ``layers.json``.
        groups: configured number of groups; None for the number that follows from the width.

    Raises:
        ValueError: if a layer has no name or no channels.
    """
    return [_row(layer, groups) for layer in layers]


def layer_charts(rows: Sequence[LayerRow]) -> list[Chart]:
    """One chart per kind of value that any layer has."""
    return [
        _chart(plot, rows)
        for plot in _PLOTS
        if any(np.isfinite(_values(rows, field)).any() for field in plot.fields)
    ]


def _row(layer: Entry, groups: int | None) -> LayerRow:
    try:
        name, channels = str(layer["name"]), int(layer["channels"])
    except (KeyError, TypeError) as error:
        raise ValueError("every layer needs a name and a number of channels") from error
    if groups is None:
        groups = channels // group_width(channels)
    return LayerRow(
        name,
        channels,
        groups,
        _number(layer.get("shift_mean")),
        _number(layer.get("shift_variance")),
        _number(layer.get("perplexity_mean")) / groups,
        _number(layer.get("perplexity_variance")) / groups,
        _number(layer.get("gate_mean")),
        _number(layer.get("gate_variance")),
        _number(layer.get("alpha")),
    )


def _chart(plot: _Plot, rows: Sequence[LayerRow]) -> Chart:
    lines = [_values(rows, field) for field in plot.fields]
    said = [
        f"{key.label} from {np.nanmin(y):.3g} to {np.nanmax(y):.3g}"
        for key, y in zip(plot.keys, lines, strict=True)
        if np.isfinite(y).any()
    ]
    return Chart(
        plot.title,
        draw(
            plot.name,
            f"{plot.title} over {len(rows)} layers: {listed(said)}. The table contains all numbers.",
            lambda axes: _paint(axes, plot, lines, [row.name for row in rows]),
            size=(4.6, 3.2 if len(rows) <= _NAMED else 2.7),
        ),
        plot.caption,
        plot.keys if len(plot.keys) > 1 else (),
    )


def _paint(axes: Axes, plot: _Plot, lines: Sequence[Values], names: Sequence[str]) -> None:
    places = np.arange(1, len(names) + 1)
    for key, y in zip(plot.keys, lines, strict=True):
        paint = color(key.color)
        face = paint if key.mark == "dot" else color("paper")
        axes.plot(places, y, color=paint, linewidth=0.8, alpha=0.5)
        axes.scatter(places, y, s=18, facecolor=face, edgecolor=paint, linewidth=1.2, zorder=3)
    both = np.concatenate(lines)
    both = both[np.isfinite(both)]
    if plot.limits is not None:
        axes.set_ylim(*plot.limits)
    elif plot.name == "shift" and both.min() > 0 and both.max() > 100 * both.min():
        axes.set_yscale("log")
    elif plot.name == "shift":
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylim(min(0.48, float(both.min()) - 0.02), 1.02)
    axes.grid(visible=False, axis="x")
    if len(names) <= _NAMED:
        axes.set_xticks(places, [short(name, 18) for name in names], rotation=90, fontsize=8)
    else:
        axes.set_xlabel("layer, in the order of the network")


def _values(rows: Sequence[LayerRow], field: str) -> Values:
    return np.array([getattr(row, field) for row in rows], dtype=np.float64)


def _number(value: Any) -> float:
    number = float(value) if isinstance(value, int | float) else math.nan
    return number if math.isfinite(number) else math.nan
