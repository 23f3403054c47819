"""Paired differences between normalizations, per seed and averaged over tasks."""

from collections.abc import Sequence

from rn_model.compare.config import GridConfig
from rn_model.compare.findings.results import Finding
from rn_model.compare.findings.statistics import Difference, over_tasks, paired_difference
from rn_model.compare.findings.tables import MISSING, TextTable


def difference(
    grid: GridConfig, findings: Sequence[Finding], one: str, other: str, objective: str
) -> Difference | None:
    """Accuracy of normalization ``one`` minus that of ``other``, with the same objective.

    The difference is taken per seed, because both started with the same network, on the mean accuracy
    over all tasks. None if there is no seed for which both have results on all tasks.
    """
    tasks = [task.name for task in grid.tasks]
    return paired_difference(
        over_tasks(findings, tasks, one, objective), over_tasks(findings, tasks, other, objective)
    )


def differences_table(
    grid: GridConfig, findings: Sequence[Finding], reference: str, objective: str
) -> TextTable:
    """Table of all normalizations compared with a reference, in percentage points of accuracy."""
    rows: list[tuple[str, ...]] = []
    for name in (entry.name for entry in grid.normalizations):
        if name == reference:
            continue
        found = difference(grid, findings, name, reference, objective)
        cells = (MISSING,) * 3
        if found is not None:
            error = MISSING if found.size == 1 else f"{100 * found.error:.2f}"
            cells = (f"{100 * found.mean:+.2f}", error, str(found.size))
        rows.append((name, *cells))
    return TextTable(
        f"difference in accuracy to {reference} with {objective}, mean over all tasks, points",
        ("normalization", "difference", "standard error", "seeds"),
        tuple(rows),
    )
