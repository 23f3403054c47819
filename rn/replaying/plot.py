"""Draws a replay: accuracy, versions and decisions over the images."""

from collections.abc import Sequence
from pathlib import Path

from rn.replaying.steps import Step
from rn.replaying.summary import summarize

# Events that are drawn, and how.
_MARKS = {
    "published": ("o", "tab:green"),
    "rejected": ("x", "tab:red"),
    "alarm": ("v", "tab:orange"),
    "new_domain": ("s", "tab:blue"),
    "domain_opened": ("s", "tab:blue"),
    "domain_recalled": ("D", "tab:purple"),
    "rolled_back": ("<", "tab:red"),
}


def plot_replay(steps: Sequence[Step], path: Path) -> None:
    """Write the accuracy of every batch, the version that predicted it, and what was decided.

    Args:
        steps: the replay.
        path: file to write; its suffix names the format.

    Raises:
        OSError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(2, 1))
    known = [step for step in steps if step.labelled]
    upper.plot(
        [step.stop for step in known],
        [100 * step.right / step.labelled for step in known],
        drawstyle="steps-pre",
    )
    upper.set_ylabel("accuracy of each batch, %" if known else "no labels")
    for number, stretch in enumerate(summarize(steps)):
        for axes in (upper, lower):
            axes.axvspan(stretch.start, stretch.stop, color="grey", alpha=0.12 * (number % 2))
        upper.annotate(
            stretch.change, (stretch.start, 1.01), xycoords=("data", "axes fraction"), fontsize=8
        )
    lower.plot(
        [step.stop for step in steps], [step.version for step in steps], drawstyle="steps-pre"
    )
    for kind, (marker, color) in _MARKS.items():
        found = [step for step in steps if any(event.kind == kind for event in step.events)]
        if found:
            places = [step.stop for step in found]
            lower.scatter(
                places,
                [step.version for step in found],
                marker=marker,
                color=color,
                label=kind.replace("_", " "),
                zorder=3,
            )
    lower.set_ylabel("version")
    lower.set_xlabel("images")
    if lower.get_legend_handles_labels()[1]:
        lower.legend(fontsize=8)
    figure.savefig(path)
