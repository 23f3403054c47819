"""Which step of the training was kept, and why."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rn_model.report.run_files import Entry, RunFiles
from rn_model.training.evaluation.checkpoint_selection import TOLERANCE


class Evaluation(NamedTuple):
    """An evaluation of the adaptation, as a row of a table.

    Attributes:
        step: of the adaptation.
        information, nuclear_norm: label-free scores; NaN where they are not known.
        source_accuracy: on held-out source images; NaN where it is not known.
        oracle: accuracy by the target's labels; None without any.
        kept: whether the network of this step was kept.
        allowed: whether it is still good on the source.
    """

    step: int
    information: float
    nuclear_norm: float
    source_accuracy: float
    oracle: float | None
    kept: bool
    allowed: bool

    @property
    def mean(self) -> float:
        """Of the label-free scores: the number that is compared."""
        return (self.information + self.nuclear_norm) / 2


@dataclass(frozen=True)
class Choice:
    """What is known of the choice.

    Attributes:
        step: that was kept; None if the run is not finished.
        reason: in a sentence.
        floor: source accuracy that a network needed; None if it is not known.
        evaluations: of the adaptation.
    """

    step: int | None
    reason: str
    floor: float | None
    evaluations: tuple[Evaluation, ...]


def explain(files: RunFiles) -> Choice:
    """Say which step was kept and why, by the result, the history and the configuration."""
    step = files.result.get("chosen_step")
    step = int(step) if isinstance(step, int | float) else None
    before = [entry for entry in files.evaluations if entry["stage"] == "source"]
    later = [entry for entry in files.evaluations if entry["stage"] != "source"]
    floor = _number((before[-1:] or later[:1] or [{}])[0].get("source_accuracy")) - TOLERANCE
    rows = tuple(_row(entry, step, floor) for entry in later)
    training = files.config.get("training")
    last = isinstance(training, dict) and training.get("keep") == "last"
    known = None if math.isnan(floor) else floor
    return Choice(step, _reason(rows, step, known, last=last), known, rows)


def _reason(
    rows: Sequence[Evaluation], step: int | None, floor: float | None, *, last: bool
) -> str:
    if step is None:
        return "No step has been chosen: the run is not finished."
    if last:
        return "The last weights were kept, as the configuration says (training.keep: last)."
    kept = next((row for row in rows if row.kept), None)
    if step == 0 and kept is None:
        return "The network was kept as it was before the adaptation."
    if kept is None:
        return "Chosen without target labels; its evaluation is not in the history."
    among = [row for row in rows if row.allowed] or list(rows)
    best = max((row.mean for row in among if not math.isnan(row.mean)), default=math.nan)
    if kept not in among or not math.isclose(kept.mean, best):
        return "Chosen without target labels."
    sentence = (
        f"Its predictions on unlabeled target images have the best label-free score,"
        f" {kept.mean:.3f} (mean of information and nuclear norm), of {len(rows)} evaluation"
        f"{'s' if len(rows) != 1 else ''}"
    )
    if floor is None:
        return f"{sentence}."
    if not kept.allowed:
        return f"{sentence}; none reached the floor of {floor:.1%} on held-out source images."
    return (
        f"{sentence}, among those with at least {floor:.1%} on held-out source images"
        f" ({100 * TOLERANCE:g} points below the accuracy before the adaptation)."
    )


def _row(entry: Entry, step: int | None, floor: float) -> Evaluation:
    source = _number(entry.get("source_accuracy"))
    oracle = _number(entry.get("oracle_target_accuracy"))
    return Evaluation(
        step=int(entry["step"]),
        information=_number(entry.get("information")),
        nuclear_norm=_number(entry.get("nuclear_norm")),
        source_accuracy=source,
        oracle=None if math.isnan(oracle) else oracle,
        kept=int(entry["step"]) == step,
        # Without both numbers nothing is known against it.
        allowed=not source < floor,
    )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
