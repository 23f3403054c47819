"""How far the networks of a task agree on the target's classes; labels are not read."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rn_model.compare.findings.results import Finding
from rn_model.runs.selection import agreements
from rn_model.training.records.artifacts import EVALUATION

_BEFORE = "before"


def with_agreement(findings: Sequence[Finding], out: Path) -> list[Finding]:
    """Add to each finding how often its network agrees with all networks of the same task and seed.

    The network before the adaptation, with which all of them started, is one of them. Where predictions
    are missing, as in runs of older versions, nothing is added.

    Args:
        findings: findings of all runs.
        out: directory of the comparison.

    Raises:
        ValueError: if a file of predictions is damaged.
    """
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, finding in enumerate(findings):
        if finding.result is not None:
            groups[finding.key.task, finding.key.seed].append(number)
    found = list(findings)
    for numbers in groups.values():
        predictions: dict[str, NDArray[np.float32]] = {}
        for number in numbers:
            predictions |= _predictions(out / findings[number].key.path, str(number))
        if len(predictions) != len(numbers) + 1:
            continue
        if len({array.shape for array in predictions.values()}) != 1:
            continue
        shares = agreements(predictions)
        for number in numbers:
            found[number] = replace(
                findings[number], agreement=shares[str(number)], agreement_before=shares[_BEFORE]
            )
    return found


def _predictions(run: Path, name: str) -> dict[str, NDArray[np.float32]]:
    path = run / EVALUATION
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "before_probability" not in arrays:
                return {}
            return {name: arrays["target_probability"], _BEFORE: arrays["before_probability"]}
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
