"""Plots of the findings of a grid, as SVG files."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bundle.writing.atomic import write_file
from rn_model.compare.config import PLOTS, GridConfig
from rn_model.compare.findings.results import Finding
from rn_model.compare.findings.statistics import by_seed, rank_correlation, score_pairs, spread

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "grid",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "text.parse_math": False,
}
_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
# Ten easily distinguished colours, followed by ten paler ones for groups with more bars.
_COLOURS = [matplotlib.colormaps["tab20"](place) for place in (*range(0, 20, 2), *range(1, 20, 2))]
_LEGEND_WIDTH = 1.6


def write_plots(grid: GridConfig, findings: Sequence[Finding], out: Path) -> list[Path]:
    """Write a bar chart of accuracies per task, and a scatter plot of label-free score and accuracy.

    Args:
        grid: the grid.
        findings: findings of its runs.
        out: directory of the comparison.

    Returns:
        The files that were written; plots without data are omitted.
    """
    folder = out / PLOTS
    folder.mkdir(exist_ok=True)
    written: list[Path] = []
    with matplotlib.rc_context(_SETTINGS):
        for task in (entry.name for entry in grid.tasks):
            if score_pairs(findings, task):
                written.append(folder / f"{task}.svg")
                _write(bars(grid, findings, task), written[-1])
        if written:
            written.append(folder / "label-free-score.svg")
            _write(scatter(grid, findings), written[-1])
    return written


def bars(grid: GridConfig, findings: Sequence[Finding], task: str) -> Figure:
    """Bar chart of the accuracies of a task: one group per objective, one colour per normalization."""
    names = [entry.name for entry in grid.normalizations]
    groups = [entry.name for entry in grid.objectives]
    figure, axes = _new(1.2 + len(groups) * (0.4 + 0.18 * len(names)))
    width = 0.85 / len(names)
    least = 1.0
    for number, name in enumerate(names):
        places: list[float] = []
        means: list[float] = []
        deviations: list[float] = []
        for group, objective in enumerate(groups):
            values = by_seed(findings, task, name, objective, "oracle_target_accuracy")
            found = spread(list(values.values()))
            if found is not None:
                places.append(group + (number - (len(names) - 1) / 2) * width)
                means.append(100 * found.mean)
                deviations.append(100 * found.deviation)
                least = min(least, found.mean - found.deviation)
        if means:
            colour = _COLOURS[number % len(_COLOURS)]
            error = {"linewidth": 0.8}
            axes.bar(
                places, means, width, yerr=deviations, label=name, color=colour, error_kw=error
            )
    axes.set_xticks(range(len(groups)), groups)
    # An axis from 0 would hide differences of a few points; its labels show where it starts.
    axes.set_ylim(bottom=max(0.0, 100 * least - 5), top=100)
    axes.grid(axis="x", visible=False)
    axes.set_title(task)
    axes.set_ylabel("target accuracy, % (mean and sd)")
    _legend(axes)
    return figure


def scatter(grid: GridConfig, findings: Sequence[Finding]) -> Figure:
    """Scatter plot of label-free score and accuracy of every run, one colour per task."""
    figure, axes = _new(5.0)
    for task in (entry.name for entry in grid.tasks):
        pairs = score_pairs(findings, task)
        if not pairs:
            continue
        correlation = rank_correlation(findings, task)
        label = task
        if correlation is not None:
            label = f"{task}\nrank correlation {correlation.value:.2f}"
        scores, accuracies = zip(*pairs, strict=True)
        axes.scatter(scores, [100 * value for value in accuracies], s=12, alpha=0.7, label=label)
    axes.set_xlabel("label-free score: mean of information and nuclear norm")
    axes.set_ylabel("oracle: target accuracy, %")
    axes.set_title("Does the score that needs no labels\nrank runs as labels do?")
    _legend(axes)
    return figure


def _new(width: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(max(4.0, width) + _LEGEND_WIDTH, 3.6), layout="constrained")
    return figure, figure.add_subplot()


def _legend(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _write(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=_METADATA)
    write_file(path, buffer.getvalue())
