"""The choice among all runs of a task without target labels, and what it costs."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from rn_model.compare.findings.results import Finding
from rn_model.compare.findings.statistics import Spread, spread
from rn_model.runs.selection import Candidate, choose, source_tolerance
from rn_model.training.records.artifacts import SOURCE_ONLY_FOLDER
from rn_model.training.result import SOURCE_ONLY, Result

Rule = Literal["trust", "score"]


class Selection(NamedTuple):
    """A choice among all runs of a task and the source-only network, per seed.

    Attributes:
        accuracy: accuracy of the chosen networks; None where the target has no labels, as for the next two.
        best: accuracy of the best networks by labels, which cannot be selected without labels.
        regrets: accuracy lost against the best network, per seed; empty without labels.
        runs: chosen run by seed, as its folder below the directory of the comparison.
        names: number of times that each method was chosen.
    """

    accuracy: Spread | None
    best: Spread | None
    regrets: tuple[float, ...]
    runs: dict[int, str]
    names: Counter[str]


@dataclass(frozen=True)
class _Option:
    candidate: Candidate
    accuracy: float | None
    tolerance: float
    path: str


def label_free_selection(
    findings: Sequence[Finding], task: str, rule: Rule = "trust"
) -> Selection | None:
    """Select without labels, per seed; None if no seed has two runs to select from.

    The network before the adaptation is a candidate too.

    Args:
        findings: findings of all runs.
        task: task of the runs.
        rule: ``trust`` selects by label-free scores and by the agreement with the other candidates,
            ``score`` by the scores alone.
    """
    chosen: list[float] = []
    best: list[float] = []
    runs: dict[int, str] = {}
    names: Counter[str] = Counter()
    for seed, options in _by_seed(findings, task, rule).items():
        if len(options) < 2:
            continue
        name = choose(
            {name: option.candidate for name, option in options.items()},
            tolerance=max(option.tolerance for option in options.values()),
        )
        names[name] += 1
        runs[seed] = options[name].path
        accuracy = options[name].accuracy
        if accuracy is not None:
            chosen.append(accuracy)
            best.append(max(option.accuracy or 0.0 for option in options.values()))
    if not names:
        return None
    regrets = tuple(most - own for own, most in zip(chosen, best, strict=True))
    return Selection(spread(chosen), spread(best), regrets, runs, names)


def _by_seed(findings: Sequence[Finding], task: str, rule: Rule) -> dict[int, dict[str, _Option]]:
    seeds: dict[int, dict[str, _Option]] = defaultdict(dict)
    for finding in findings:
        result = finding.result
        if finding.key.task != task or result is None:
            continue
        options = seeds[finding.key.seed]
        name = f"{finding.key.normalization}/{finding.key.objective}"
        options[name] = _Option(
            _known(result.candidate(), finding.agreement, rule),
            result.oracle_target_accuracy,
            _tolerance(result),
            finding.key.path,
        )
        before = result.before
        if before is not None:
            options[SOURCE_ONLY] = _Option(
                _known(before.candidate(), finding.agreement_before, rule),
                before.oracle_target_accuracy,
                _tolerance(result),
                f"{finding.key.path}/{SOURCE_ONLY_FOLDER}",
            )
    return seeds


def _known(candidate: Candidate, agreement: float | None, rule: Rule) -> Candidate:
    return replace(candidate, agreement=agreement if rule == "trust" else None)


def _tolerance(result: Result) -> float:
    return source_tolerance(result.source_accuracy, result.images.get("validation"))
