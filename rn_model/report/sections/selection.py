"""Checkpoint selection: which step of the training was kept, and why."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rn_model.report.run_files import Entry, RunFiles
from rn_model.runs.proportion import Proportion
from rn_model.runs.selection import source_tolerance


class Evaluation(NamedTuple):
    """An evaluation of the adaptation, as a row of a table.

    Attributes:
        step: step of the adaptation.
        information: label-free score; NaN if unknown.
        nuclear_norm: label-free score; NaN if unknown.
        source_accuracy: accuracy on held-out source images; NaN if unknown.
        oracle: accuracy on the target; None without labels.
        kept: whether the network of this step was kept.
        allowed: whether the source accuracy reaches the floor.
        statistics: domain whose statistics normalize the target in step 0, ``source`` or ``target``.
        probe: correct predictions on the labelled images of the probe; None without any.
    """

    step: int
    information: float
    nuclear_norm: float
    source_accuracy: float
    oracle: float | None
    kept: bool
    allowed: bool
    statistics: str = ""
    probe: int | None = None

    @property
    def mean(self) -> float:
        """Mean of the label-free scores, by which networks are compared."""
        return (self.information + self.nuclear_norm) / 2


@dataclass(frozen=True)
class Selection:
    """The kept step and the evaluations that it was selected from.

    Attributes:
        step: step that was kept; None if the run is not finished.
        reason: reason for the selection, as a sentence.
        floor: source accuracy that a network had to reach; None if unknown.
        evaluations: evaluations of the adaptation.
    """

    step: int | None
    reason: str
    floor: float | None
    evaluations: tuple[Evaluation, ...]


def explain(files: RunFiles) -> Selection:
    """Explain which step was kept and why, from the result, the history and the configuration."""
    step = files.result.get("chosen_step")
    step = int(step) if isinstance(step, int | float) else None
    before = [entry for entry in files.evaluations if entry["stage"] == "source"]
    later = [entry for entry in files.evaluations if entry["stage"] != "source"]
    floor = _floor(files, _number((before[-1:] or later[:1] or [{}])[0].get("source_accuracy")))
    own = files.result.get("target_statistics", True)
    statistics = "target" if own else "source"
    rows = tuple(_row(entry, step, statistics, floor) for entry in later)
    training = files.config.get("training")
    last = isinstance(training, dict) and training.get("keep") == "last"
    known = None if math.isnan(floor) else floor
    reason = _reason(rows, step, known, last=last)
    probe = files.result.get("probe")
    if isinstance(probe, Mapping) and not last:
        reason = (
            "Selected by the labelled target images of the probe, which were never trained on:"
            f" {Proportion.model_validate(probe)} correct. Differences within the interval may be chance."
        )
    if step == 0 and any(row.kept for row in rows) and not last:
        reason = (
            "The adaptation was not used: the source-only network was kept, with"
            f" {'statistics of the target' if own else 'its own statistics'}. {reason}"
        )
    return Selection(step, reason, known, rows)


def _floor(files: RunFiles, accuracy: float) -> float:
    """Source accuracy that a network had to reach; NaN if unknown."""
    images = files.result.get("images")
    known = images.get("validation") if isinstance(images, Mapping) else None
    training = files.config.get("training")
    most = training.get("evaluation_images") if isinstance(training, Mapping) else None
    counts = [count for count in (known, most) if isinstance(count, int)]
    return accuracy - source_tolerance(accuracy, min(counts) if known else None)


def _reason(
    rows: Sequence[Evaluation], step: int | None, floor: float | None, *, last: bool
) -> str:
    if step is None:
        return "No step has been selected yet: the run is not finished."
    if last:
        return "The last weights were kept, as configured (training.keep: last)."
    kept = next((row for row in rows if row.kept), None)
    if step == 0 and kept is None:
        return "The network from before the adaptation was kept."
    if kept is None:
        return "Selected without target labels; the evaluation of this step is not in the history."
    among = [row for row in rows if row.allowed] or list(rows)
    best = max((row.mean for row in among if not math.isnan(row.mean)), default=math.nan)
    if kept not in among or not math.isclose(kept.mean, best):
        return "Selected without target labels."
    sentence = (
        f"Selected for the best label-free score of its predictions on unlabelled target images,"
        f" {kept.mean:.3f} (mean of information and nuclear norm), among {len(rows)} evaluation"
        f"{'s' if len(rows) != 1 else ''}"
    )
    if floor is None:
        return f"{sentence}."
    if not kept.allowed:
        return f"{sentence}; none reached the minimum of {floor:.1%} on held-out source images."
    return (
        f"{sentence}. Only networks with an accuracy of at least {floor:.1%} on held-out source images"
        " (2 points, and what chance explains, below that before the adaptation) could be selected."
    )


def _row(entry: Entry, step: int | None, statistics: str, floor: float) -> Evaluation:
    source = _number(entry.get("source_accuracy"))
    oracle = _number(entry.get("oracle_target_accuracy"))
    own, probe = entry.get("statistics", ""), entry.get("probe_correct")
    return Evaluation(
        step=int(entry["step"]),
        information=_number(entry.get("information")),
        nuclear_norm=_number(entry.get("nuclear_norm")),
        source_accuracy=source,
        oracle=None if math.isnan(oracle) else oracle,
        kept=int(entry["step"]) == step and own in ("", statistics),
        # NaN compares as false: a network is allowed unless both numbers are known.
        allowed=not source < floor,
        statistics=str(own),
        probe=probe if isinstance(probe, int) else None,
    )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
