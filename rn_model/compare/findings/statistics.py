"""Statistics over the runs of a grid: means, paired differences, rank correlation."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from rn_model.compare.findings.results import Finding
from rn_model.runs.selection import mean_score
from rn_model.training.result import Result

Measure = Literal["oracle_target_accuracy", "oracle_best_accuracy"]


class Spread(NamedTuple):
    """Mean and sample standard deviation of ``size`` values; 0 for a single one."""

    mean: float
    deviation: float
    size: int


class Correlation(NamedTuple):
    """Spearman's rank correlation of label-free score and accuracy over ``size`` runs."""

    value: float
    size: int


class Difference(NamedTuple):
    """Mean of ``size`` paired differences and its standard error, NaN for a single one."""

    mean: float
    error: float
    size: int


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and standard deviation of the values; None if there are none."""
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(statistics.mean(values), deviation, len(values))


def by_seed(
    findings: Sequence[Finding], task: str, normalization: str, objective: str, measure: Measure
) -> dict[int, float]:
    """Accuracy of a cell by seed, for the runs that have one."""
    values: dict[int, float] = {}
    for key, result in _finished(findings):
        accuracy: float | None = getattr(result, measure)
        if key[:3] == (task, normalization, objective) and accuracy is not None:
            values[key[3]] = accuracy
    return values


def over_tasks(
    findings: Sequence[Finding],
    tasks: Sequence[str],
    normalization: str,
    objective: str,
    measure: Measure = "oracle_target_accuracy",
) -> dict[int, float]:
    """Mean accuracy over tasks by seed, for the seeds that all tasks have."""
    found = [by_seed(findings, task, normalization, objective, measure) for task in tasks]
    seeds = set.intersection(*(set(values) for values in found)) if found else set()
    return {seed: statistics.mean(values[seed] for values in found) for seed in sorted(seeds)}


def rank_correlation(findings: Sequence[Finding], task: str) -> Correlation | None:
    """Correlate label-free score and accuracy; None with fewer than three runs or without variation."""
    from scipy.stats import spearmanr

    pairs = score_pairs(findings, task)
    scores, accuracies = zip(*pairs, strict=True) if pairs else ((), ())
    if len(pairs) < 3 or len(set(scores)) == 1 or len(set(accuracies)) == 1:
        return None
    value = float(spearmanr(scores, accuracies).statistic)
    return Correlation(value, len(pairs))


def score_pairs(findings: Sequence[Finding], task: str) -> list[tuple[float, float]]:
    """Label-free score and accuracy of each run of a task."""
    return [
        (mean_score(result.scores), result.oracle_target_accuracy)
        for key, result in _finished(findings)
        if key[0] == task and result.oracle_target_accuracy is not None
    ]


def paired_difference(one: Mapping[int, float], other: Mapping[int, float]) -> Difference | None:
    """Mean difference over the seeds that both have; None if there is no such seed."""
    found = spread([one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())])
    if found is None:
        return None
    error = found.deviation / math.sqrt(found.size) if found.size > 1 else math.nan
    return Difference(found.mean, error, found.size)


def _finished(findings: Sequence[Finding]) -> list[tuple[tuple[str, str, str, int], Result]]:
    return [(f.key, f.result) for f in findings if f.result is not None]
