"""Compares normalizations on photographs: ``python -m bench.photographs --data FOLDER``."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from bench.claim import train_and_print
from bench.photograph_tasks import digit_tasks, photograph_tasks
from rn_model.compare.config import GridConfig
from rn_model.compare.findings.results import Finding
from rn_model.compare.grid_file import load_grid
from rn_model.runs.proportion import Proportion
from rn_model.runs.selection import Candidate, choose
from rn_model.training.records.artifacts import EVALUATION

NORMALIZATIONS = ("bn", "adabn", "rn", "ccn")
_DRAWS = 1000


def main(
    data: Annotated[Path, typer.Option(help="Folder with the four .npz files.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/photographs"),
    kinds: Annotated[list[str] | None, typer.Option("--kind", help="Normalization.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Number of parallel runs.")] = 2,
    labels: Annotated[int, typer.Option(min=1, help="Labelled target images of a probe.")] = 20,
    only: Annotated[str, typer.Option(help="Train only runs whose path contains this text.")] = "",
) -> None:
    """Train with MCC, and report accuracies and what each way of choosing loses."""
    console = Console(width=160, highlight=False)
    arrays = out.parent / f"{out.name}-data"
    arrays.mkdir(parents=True, exist_ok=True)
    tasks = photograph_tasks(data, arrays)
    # Trained as in the grid of the claim, of which the tasks with equal shares are two.
    claim, _ = load_grid("claim")
    views = claim.tasks[0].set
    tasks += [
        {
            **task,
            "base": "digits",
            "data": str(data.absolute()),
            "set": claim.set | views | task.get("set", {}),
        }
        for task in digit_tasks(data, arrays)
    ]
    grid = GridConfig.model_validate(
        {
            "tasks": tasks,
            "normalizations": kinds or NORMALIZATIONS,
            "objectives": ["mcc"],
            "seeds": range(seeds),
        }
    )
    findings = train_and_print(grid, out, jobs=jobs, only=only, console=console)
    regrets = [r for group in _groups(findings, out) for r in probe_regrets(*group, labels)]
    if regrets:
        mean, high, worst = np.mean(regrets), np.percentile(regrets, 95), np.max(regrets)
        console.print(
            f"Chosen by {labels} labels, drawn {_DRAWS} times: {100 * mean:.1f} points behind the best in"
            f" the mean, {100 * high:.1f} in one of twenty draws, {100 * worst:.1f} at worst."
        )


def _groups(
    findings: Sequence[Finding], out: Path
) -> list[tuple[list[Candidate], NDArray[np.bool_]]]:
    """For each task and seed, the candidates without probe, and whether each image is correct."""
    candidates: dict[tuple[str, int], list[Candidate]] = defaultdict(list)
    correct: dict[tuple[str, int], list[NDArray[np.bool_]]] = defaultdict(list)
    for finding in findings:
        result = finding.result
        if result is None or result.before is None:
            continue
        key = finding.key.task, finding.key.seed
        with np.load(out / finding.key.path / EVALUATION, allow_pickle=False) as arrays:
            true = arrays["target_true"]
            after = arrays["target_probability"].argmax(axis=1) == true
            before = arrays["before_predicted"] == true
        if key not in candidates:
            candidates[key].append(
                replace(result.before.candidate(), agreement=finding.agreement_before)
            )
            correct[key].append(before)
        candidates[key].append(replace(result.candidate(), agreement=finding.agreement))
        correct[key].append(after)
    return [(candidates[key], np.stack(correct[key])) for key in candidates]


def probe_regrets(
    candidates: Sequence[Candidate], correct: NDArray[np.bool_], labels: int
) -> list[float]:
    """Accuracy that a choice by labelled images loses against the best candidate, for many draws of them.

    Args:
        candidates: candidates, without a probe.
        correct: whether the prediction of each candidate for each image is correct, ``(M, N)``.
        labels: number of labelled images, drawn at random.
    """
    generator = np.random.default_rng(0)
    accuracy = correct.mean(axis=1)
    regrets = []
    for _ in range(_DRAWS):
        hits = correct[:, generator.choice(correct.shape[1], labels, replace=False)].sum(axis=1)
        probed = {
            str(number): replace(candidate, probe=Proportion(correct=int(hit), images=labels))
            for number, (candidate, hit) in enumerate(zip(candidates, hits, strict=True))
        }
        regrets.append(float(accuracy.max() - accuracy[int(choose(probed))]))
    return regrets


if __name__ == "__main__":
    typer.run(main)
