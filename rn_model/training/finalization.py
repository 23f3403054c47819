"""The end of a run: population statistics, the final measurement, and the files of the run."""

from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from rn_model.data import Task
from rn_model.runs.rows import Row
from rn_model.training.context import RunContext
from rn_model.training.evaluation.measurement import Measurement, class_shares, measure
from rn_model.training.evaluation.population_moments import set_population_moments
from rn_model.training.processes.failures import on_first
from rn_model.training.records.artifacts import write_artifacts
from rn_model.training.records.source_weights import SOURCE_WEIGHTS, load_source
from rn_model.training.result import SOURCE_ONLY, Result
from rn_model.training.source_only import measure_source_only


def finish(context: RunContext, network: nn.Module, out: Path, trained: dict[str, Any]) -> Result:
    """Estimate the statistics to export, measure the network, and write the files of the run.

    Args:
        context: context of the run.
        network: network that was kept.
        out: directory of the run.
        trained: ``chosen_step``, ``target_statistics`` and ``seconds`` of the result, and
            ``oracle_best``, the best oracle accuracy during training.

    Raises:
        TrainingError: if a prediction is not finite, or files cannot be written.
    """
    config, task, reader = context.config, context.task, context.reader
    max_images = config.training.population_images
    first, start = _network_before_adaptation(context, out)
    # Measured on the same images as the kept network, so that rows and features can be compared.
    before = measure_source_only(context, first, start)
    if trained["target_statistics"]:
        set_population_moments(network, task.sources, task.target, reader, max_images)
        measured = measure(network, task, reader, max_images, max_labelled=max_images)
    else:
        network, measured = first, before
    best = trained.pop("oracle_best")
    result = Result(
        name=config.name,
        normalization=config.normalization,
        objectives=tuple(objective.name for objective in config.objectives),
        seed=config.seed,
        classes=task.classes,
        scores=measured.candidate.scores,
        source_accuracy=measured.candidate.source_accuracy,
        oracle_target_accuracy=measured.oracle,
        oracle_best_accuracy=None
        if measured.oracle is None
        else max(measured.oracle, measured.oracle if best is None else best),
        steps=config.training.steps,
        probe=measured.candidate.probe,
        before=_row(SOURCE_ONLY, before),
        class_shares=class_shares(task, measured),
        images=_counts(task),
        **trained,
    )
    files = partial(write_artifacts, context, out, (first, before), (network, measured), result)
    on_first(context.fabric, files)
    return result


def _network_before_adaptation(context: RunContext, out: Path) -> tuple[nn.Module, Path | None]:
    """The converted network after the source stage, and the file that runs share to start with."""
    network = context.new_network(context.config.normalization)
    start = context.config.start
    path = out / SOURCE_WEIGHTS if start is None else context.base / start
    if path.is_file():
        load_source(path, network)
    return network, None if start is None else path


def _row(name: str, measured: Measurement) -> Row:
    return Row(
        name=name,
        oracle_target_accuracy=measured.oracle,
        source_accuracy=measured.candidate.source_accuracy,
        information=measured.candidate.scores.information,
        nuclear_norm=measured.candidate.scores.nuclear_norm,
        seconds=None,
        probe=measured.candidate.probe,
    )


def _counts(task: Task) -> dict[str, int]:
    counts = {
        "source": sum(map(len, task.sources)),
        "validation": len(task.validation),
        "target": len(task.target),
    }
    extra = {"test": task.test, "probe": task.probe}
    return counts | {role: len(images) for role, images in extra.items() if images is not None}
