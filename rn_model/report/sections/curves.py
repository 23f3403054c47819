"""Learning curves: losses, rates, scores and accuracies over the steps of a training."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from rn_model.report.charts.chart import Chart, Key, series
from rn_model.report.charts.line_chart import Curve, Timeline, draw_lines
from rn_model.report.run_files import Entry, RunFiles
from rn_model.report.sections.selection import Selection


def timeline(files: RunFiles, selection: Selection) -> Timeline:
    """Make the axis of the steps of a run."""
    entries = files.training + files.evaluations
    boundary = max((int(e["step"]) for e in entries if e["stage"] == "source"), default=0)
    later = any(entry["stage"] != "source" for entry in entries)
    selected = selection.step + boundary if selection.step is not None and later else None
    return Timeline(boundary, boundary > 0 and later, selected)


def training_charts(files: RunFiles, line: Timeline) -> list[Chart]:
    """Charts of losses, learning rate and speed; empty without a history."""
    entries = files.training
    if not entries:
        return []
    names = list(dict.fromkeys(name for entry in entries for name in entry.get("losses") or {}))
    losses = [
        _curve(Key(name, series(number)), entries, line, partial(_part_of_loss, name=name))
        for number, name in enumerate(names)
    ]
    if len(names) != 1:
        losses.append(_curve(Key("total", "ink"), entries, line, lambda e: e["loss"]))
    rate = _curve(Key("learning rate", "c0"), entries, line, lambda e: e["learning_rate"])
    speed = _curve(Key("images/s", "c2"), entries, line, lambda e: e["images_per_second"])
    return [
        Chart(
            "Loss",
            draw_lines("loss", "Parts of the loss", losses, line, smooth=True),
            "Thin lines: recorded values. Bold lines: moving average.",
            tuple(curve.key for curve in losses if len(curve.x)),
        ),
        Chart(
            "Learning rate",
            draw_lines("rate", "Learning rate", [rate], line),
            "Base learning rate; some groups of parameters have a factor of their own.",
        ),
        Chart(
            "Images per second",
            draw_lines(
                "speed", "Training images per second", [speed], line, smooth=True, zero=True
            ),
            "Images of all domains in a training step, divided by its duration.",
        ),
    ]


def evaluation_charts(files: RunFiles, line: Timeline, selection: Selection) -> list[Chart]:
    """Charts of label-free scores and accuracies; empty without evaluations."""
    entries = files.evaluations
    if not entries:
        return []
    scores = [
        _curve(Key("information", "c0"), entries, line, lambda e: e["information"]),
        _curve(Key("nuclear norm", "c1"), entries, line, lambda e: e["nuclear_norm"]),
    ]
    accuracies = [
        _curve(Key("source", "c2"), entries, line, lambda e: e["source_accuracy"]),
        _curve(
            Key("oracle: target", "muted", "dotted"),
            entries,
            line,
            lambda e: e["oracle_target_accuracy"],
        ),
    ]
    oracle = len(accuracies[1].x) > 0
    keys = [curve.key for curve in accuracies if len(curve.x)]
    if selection.floor is not None:
        keys.insert(1, Key("minimum for source", "c2", "dashed"))
    kept = (Key("kept", "ink", "dashed"),) if line.selected is not None else ()
    return [
        Chart(
            "Label-free scores",
            draw_lines(
                "scores", "Label-free scores of target predictions", scores, line, marks=True
            ),
            "Scores of the predictions on unlabelled target images, by which the network is selected.",
            (*(curve.key for curve in scores), *kept),
        ),
        Chart(
            "Accuracy",
            draw_lines(
                "accuracy",
                "Accuracy on held-out source images"
                + (" and oracle accuracy on the target" if oracle else ""),
                accuracies,
                line,
                marks=True,
                share=True,
                floor=selection.floor,
            ),
            "Accuracy on held-out source images."
            + (
                " The oracle uses target labels; it is shown for comparison and was not used for selection."
                if oracle
                else ""
            ),
            (*keys, *kept),
        ),
    ]


def _part_of_loss(entry: Entry, name: str) -> Any:
    return entry["losses"][name]


def _curve(
    key: Key, entries: Sequence[Entry], line: Timeline, value: Callable[[Any], Any]
) -> Curve:
    x: list[int] = []
    y: list[float] = []
    for entry in entries:
        try:
            number = float(value(entry))
        except (KeyError, TypeError, ValueError):  # the entry lacks this value
            continue
        if np.isfinite(number):
            x.append(line.place(entry))
            y.append(number)
    return Curve(key, np.array(x, dtype=np.float64), np.array(y))
