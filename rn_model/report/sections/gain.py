"""Gain of a run: accuracies or label-free scores before and after the adaptation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from rn_model.report.charts.chart import Chart, Key, color, draw, short
from rn_model.report.run_files import Arrays, RunFiles

# With more classes than this, only those that changed most are drawn.
_DRAWN = 24


class Change(NamedTuple):
    """A number from 0 to 1 before and after the adaptation; ``images`` is 0 if it is not by class."""

    name: str
    before: float
    after: float
    images: int = 0

    @property
    def points(self) -> str:
        """The difference in points, with its sign."""
        return f"{100 * (self.after - self.before):+.1f}".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Gain:
    """Changes of the target accuracy in all and by class, or of label-free scores without labels.

    Attributes:
        labelled: whether the numbers are accuracies measured with target labels.
        overall: changes over all images.
        classes: changes of the recall by class, largest loss first; empty without labels.
        chart: the changes as a drawing.
    """

    labelled: bool
    overall: tuple[Change, ...]
    classes: tuple[Change, ...]
    chart: Chart


def gain(files: RunFiles, names: Sequence[str]) -> Gain | None:
    """Compare the network before the adaptation with the kept one; None for an unfinished run."""
    before, after = files.result.get("before"), _after(files.result)
    if not isinstance(before, Mapping) or after is None:
        return None
    key = "oracle_target_accuracy"
    labelled = _number(before.get(key)) and _number(after.get(key))
    fields = {key: "All images"}
    if not labelled:
        fields = {
            "information": "Information",
            "nuclear_norm": "Nuclear norm",
            "source_accuracy": "Source accuracy",
        }
    overall = tuple(
        Change(title, float(before[name]), float(after[name]))
        for name, title in fields.items()
        if _number(before.get(name)) and _number(after.get(name))
    )
    if not overall:
        return None
    classes = _by_class(files.arrays, names) if labelled else ()
    return Gain(labelled, overall, classes, _chart(overall, classes, labelled=labelled))


def _after(result: Mapping[str, Any]) -> dict[str, Any] | None:
    scores = result.get("scores")
    if not result:
        return None
    if isinstance(scores, Sequence) and len(scores) == 2:  # a named tuple as JSON
        scores = {"information": scores[0], "nuclear_norm": scores[1]}
    return {**result, **(scores if isinstance(scores, Mapping) else {})}


def _number(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _by_class(arrays: Arrays, names: Sequence[str]) -> tuple[Change, ...]:
    """Recall of each class with labelled images, before and after."""
    if not {"before_predicted", "target_true", "target_probability"} <= arrays.keys():
        return ()
    true, before = arrays["target_true"], arrays["before_predicted"]
    after = arrays["target_probability"].argmax(axis=1)
    if not len(true) == len(before) == len(after):
        raise ValueError("before_predicted, target_true and target_probability differ in length")
    changes = [
        Change(
            names[number] if number < len(names) else str(number),
            float((before[true == number] == number).mean()),
            float((after[true == number] == number).mean()),
            int((true == number).sum()),
        )
        for number in np.unique(true[true >= 0])
    ]
    return tuple(sorted(changes, key=lambda change: change.after - change.before))


def _chart(overall: Sequence[Change], classes: Sequence[Change], *, labelled: bool) -> Chart:
    shown = list(classes)
    if len(shown) > _DRAWN:
        shown = shown[: _DRAWN // 2] + shown[-_DRAWN // 2 :]
    rows = [*overall, *shown]
    what = "Target accuracy" if labelled else "Scores without target labels"
    numbers = "; ".join(f"{row.name} {row.before:.1%} to {row.after:.1%}" for row in overall)
    caption = (
        "Accuracy on all labelled target images, and recall by class."
        if labelled
        else "Without target labels, nobody knows the accuracy; higher scores can be wrong."
    )
    if len(shown) < len(classes):
        caption += f" Only the {len(shown)} classes that changed most are shown."
    return Chart(
        f"{what} before and after the adaptation",
        draw(
            "gain",
            f"{what} before and after the adaptation: {numbers}.",
            lambda axes: _paint(axes, rows),
            size=(4.8, 0.9 + 0.27 * max(3, len(rows))),
        ),
        caption,
        (Key("before", "muted", "ring"), Key("after", "accent", "dot")),
    )


def _paint(axes: Axes, rows: Sequence[Change]) -> None:
    for place, row in enumerate(rows):
        lost = row.after < row.before
        axes.plot(
            [row.before, row.after],
            [place, place],
            color=color("c1" if lost else "accent"),
            linewidth=2.4,
            alpha=0.55,
            zorder=2,
        )
        axes.plot(
            [row.before],
            [place],
            "o",
            color=color("paper"),
            markeredgecolor=color("muted"),
            clip_on=False,
            zorder=3,
        )
        axes.plot([row.after], [place], "o", color=color("accent"), zorder=4, clip_on=False)
        axes.text(1.03, place, row.points, va="center", fontsize=9, color=color("muted"))
    axes.set_yticks(range(len(rows)), [short(row.name, 18) for row in rows])
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.grid(visible=False, axis="y")
