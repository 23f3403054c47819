"""Synthetic results of runs, for tests that only read them."""

from pathlib import Path

from bundle.scores import Scores
from rn_model.compare.findings.results import Finding
from rn_model.compare.jobs import Key
from rn_model.training.result import FILE, Result


def result(
    oracle: float | None, *, score: float = 0.5, best: float | None = None, source: float = 0.9
) -> Result:
    """A result with the given target accuracy and label-free score."""
    return Result.model_validate(
        {
            "name": "a run",
            "normalization": {"kind": "rn"},
            "objectives": ("mcc",),
            "seed": 0,
            "classes": ("0", "1"),
            "scores": Scores(score, score),
            "source_accuracy": source,
            "oracle_target_accuracy": oracle,
            "oracle_best_accuracy": oracle if best is None else best,
            "chosen_step": 1,
            "steps": 2,
            "seconds": 0.5,
        }
    )


def finding(path: str, found: Result | None, failure: str | None = None) -> Finding:
    """The finding of ``TASK/NORMALIZATION/OBJECTIVE/SEED``."""
    task, normalization, objective, seed = path.split("/")
    return Finding(Key(task, normalization, objective, int(seed)), found, failure)


def write_result(out: Path, key: Key, found: Result) -> None:
    """Write a result where the run of a key would write it."""
    (out / key.path).mkdir(parents=True)
    (out / key.path / FILE).write_bytes(found.content())
