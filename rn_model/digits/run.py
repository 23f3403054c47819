"""From an outcome of the example to the directory of a run."""

from pathlib import Path

from pydantic import JsonValue, TypeAdapter

from rn_model.checkpoint import Run, RunRecord, fingerprint, save_run
from rn_model.digits.data import CLASSES, PREPROCESSING
from rn_model.digits.experiment import NETWORK, SOURCE_ONLY, ExperimentConfig, Outcome

SOURCE_ONLY_PART = "source_only"


def save_outcome(path: Path, outcome: Outcome, config: ExperimentConfig) -> None:
    """Save the chosen model, and inside, as ``source_only``, the model that knows no target image."""
    chosen = _run(outcome.chosen, outcome, config)
    save_run(path, chosen, {SOURCE_ONLY_PART: _run(SOURCE_ONLY, outcome, config)})


def _run(name: str, outcome: Outcome, config: ExperimentConfig) -> Run:
    fingerprints = {"source": fingerprint(outcome.data.source.pixels)}
    target = None if name == SOURCE_ONLY else outcome.data.target.pixels
    if target is not None:
        fingerprints["target"] = fingerprint(target)
    settings: dict[str, JsonValue] = TypeAdapter(ExperimentConfig).dump_python(config, mode="json")
    record = RunRecord(
        factory="rn_model.digits.network:DigitNet",
        factory_arguments=dict(NETWORK),
        classes=list(CLASSES),
        preprocessing=PREPROCESSING,
        model=name,
        results=outcome.rows,
        config=settings,
        seed=config.training.seed,
        fingerprints=fingerprints,
    )
    return Run(outcome.models[name], record, target)
