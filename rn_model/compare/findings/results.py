"""The results of all runs of a grid, and their CSV file."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundle.writing.atomic import write_file
from rn_model.compare.config import SOURCE, GridConfig
from rn_model.compare.folder import read_failures
from rn_model.compare.jobs import Key, cell_keys
from rn_model.runs.selection import mean_score
from rn_model.training.result import Result

CSV = "results.csv"
_COLUMNS = (
    "task",
    "normalization",
    "objective",
    "seed",
    "status",
    "oracle_target_accuracy",
    "oracle_best_accuracy",
    "label_free_score",
    "information",
    "nuclear_norm",
    "source_accuracy",
    "chosen_step",
    "steps",
    "seconds",
    "error",
)


@dataclass(frozen=True)
class Finding:
    """The result or the failure of one run.

    Attributes:
        key: cell and seed of the run.
        result: result of the run; None if it is not finished.
        failure: reason of a failure; None if there was none.
        agreement: share of target images on which the network agrees with all networks of the task and
            seed; None where that is not known.
        agreement_before: the same of the network before the adaptation.
    """

    key: Key
    result: Result | None
    failure: str | None = None
    agreement: float | None = None
    agreement_before: float | None = None

    @property
    def status(self) -> str:
        """``done``, ``failed`` or ``missing``."""
        if self.result is not None:
            return "done"
        return "missing" if self.failure is None else "failed"


def collect(grid: GridConfig, out: Path) -> list[Finding]:
    """Collect the result or the failure of each run of a grid.

    Raises:
        ValueError: if a result is damaged.
    """
    failures = read_failures(out)
    findings: list[Finding] = []
    for key in cell_keys(grid):
        result = Result.read(out / key.path)
        failure = failures.get(key.path, failures.get(f"{key.task}/{SOURCE}/seed-{key.seed}"))
        findings.append(Finding(key, result, failure if result is None else None))
    return findings


def write_csv(findings: Sequence[Finding], path: Path) -> None:
    """Write a CSV file with one row per run."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for finding in findings:
        writer.writerow(["" if value is None else value for value in _values(finding)])
    write_file(path, buffer.getvalue().encode())


def _values(finding: Finding) -> Iterable[object]:
    result = finding.result
    if result is None:
        return [*finding.key, finding.status, *[None] * 9, finding.failure]
    return [
        *finding.key,
        finding.status,
        result.oracle_target_accuracy,
        result.oracle_best_accuracy,
        mean_score(result.scores),
        result.scores.information,
        result.scores.nuclear_norm,
        result.source_accuracy,
        result.chosen_step,
        result.steps,
        result.seconds,
        None,
    ]
