"""What is done once training is over: population statistics, the final measurement, the files."""

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bundle.preprocessing import Pixels
from bundle.writing.atomic import write_file
from rn_model.backbones import factory_arguments
from rn_model.layers.diagnostics import layer_diagnostics
from rn_model.layers.domain_norm import set_branch
from rn_model.runs.factories import BACKBONE
from rn_model.runs.record import Run, RunRecord, fingerprint, write_run
from rn_model.runs.rows import Row
from rn_model.training.context import SOURCE_WEIGHTS, Workshop, load_source, new_network
from rn_model.training.errors import writing
from rn_model.training.evaluation.measurement import Measurement, measure
from rn_model.training.evaluation.prediction import set_population_moments, spread
from rn_model.training.processes.failures import on_first
from rn_model.training.result import FILE, Result

EVALUATION = "evaluation.npz"
LAYERS = "layers.json"
FIRST = "source_only"
SOURCE_ONLY = "source only"
_EMBEDDED = 1000


def finish(
    workshop: Workshop, network: nn.Module, out: Path, base: Path, trained: dict[str, Any]
) -> Result:
    """Estimate the statistics that are exported, measure the network and write the run's files.

    Args:
        workshop: of the run.
        network: the one that was kept.
        out: the run's directory.
        base: folder that relative paths of the configuration begin at.
        trained: the fields of the result that training knows.
    """
    config, task, reader = workshop.config, workshop.task, workshop.reader
    most = config.training.population_images
    set_population_moments(network, task.sources, task.target, reader, most)
    measured = measure(network, task, reader, most, most_labelled=most)
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
        **trained,
    )
    first = _first_network(workshop, out, base)
    # Of the same images as the network that was kept: rows and features are compared one by one.
    before = measure(first, task, reader, most, most_labelled=most)
    result = result.model_copy(update={"before": _row(SOURCE_ONLY, before)})
    on_first(
        workshop.fabric, partial(_write, workshop, out, (first, before), network, measured, result)
    )
    return result


def _write(
    workshop: Workshop,
    out: Path,
    before: tuple[nn.Module, Measurement],
    network: nn.Module,
    measured: Measurement,
    result: Result,
) -> None:
    assert result.before is not None
    layers = [layer.model_dump(mode="json") for layer in layer_diagnostics(network)]
    rows = [result.before, result.row()]
    with writing(out):
        write_file(out / EVALUATION, _evaluation(before[1], measured))
        write_file(out / LAYERS, f"{json.dumps(layers, indent=1)}\n".encode())
        (out / FIRST).mkdir(exist_ok=True)
        write_run(out / FIRST, _run(workshop, before[0], rows[:1], SOURCE_ONLY, None))
        write_run(out, _run(workshop, network, rows, result.method, _kept(workshop)))
        write_file(out / FILE, result.content())


def _first_network(workshop: Workshop, out: Path, base: Path) -> nn.Module:
    """The network as the source alone left it, converted: it has the source's statistics only."""
    network = new_network(workshop, workshop.config.normalization, base)
    start = workshop.config.start
    path = out / SOURCE_WEIGHTS if start is None else base / start
    if path.is_file():
        load_source(path, network)
    return network


def _row(name: str, measured: Measurement) -> Row:
    return Row(
        name=name,
        oracle_target_accuracy=measured.oracle,
        source_accuracy=measured.candidate.source_accuracy,
        information=measured.candidate.scores.information,
        nuclear_norm=measured.candidate.scores.nuclear_norm,
        seconds=None,
    )


def _evaluation(before: Measurement, after: Measurement) -> bytes:
    old_source = spread(len(before.source.labels), _EMBEDDED)
    old_target = spread(len(before.target.labels), _EMBEDDED)
    source = spread(len(after.source.labels), _EMBEDDED)
    target = spread(len(after.target.labels), _EMBEDDED)
    arrays: dict[str, Tensor] = {
        "before_source": before.source.features[old_source],
        "before_target": before.target.features[old_target],
        "after_source": after.source.features[source],
        "after_target": after.target.features[target],
        "source_label": after.source.labels[source],
        "target_label": after.target.labels[target],
        "target_probability": after.labelled.probability,
        "target_true": after.labelled.labels,
    }
    buffer = io.BytesIO()
    columns: dict[str, Any] = {name: value.numpy() for name, value in arrays.items()}
    np.savez_compressed(buffer, **columns)
    return buffer.getvalue()


def _run(
    workshop: Workshop, network: nn.Module, rows: list[Row], model: str, target: Pixels | None
) -> Run:
    config, task = workshop.config, workshop.task
    size = config.preprocessing.height, config.preprocessing.width
    prints = {f"source {images.name}": images.fingerprint for images in task.sources}
    if model != SOURCE_ONLY:
        prints[f"target {task.target.name}"] = task.target.fingerprint
    if target is not None:
        prints["target"] = fingerprint(target)
    set_branch(network, "target")
    record = RunRecord(
        factory=BACKBONE,
        factory_arguments=factory_arguments(
            config.backbone, len(task.classes), config.preprocessing.channels, size
        ),
        normalization=config.normalization,
        classes=list(task.classes),
        preprocessing=config.preprocessing,
        model=model,
        results=rows,
        config=config.model_dump(mode="json"),
        seed=config.seed,
        fingerprints=prints,
    )
    return Run(network.eval().to(torch.device("cpu")), record, target)


def _kept(workshop: Workshop) -> Pixels | None:
    count = workshop.config.keep_images
    if count == 0:
        return None
    return workshop.task.target.read(spread(len(workshop.task.target), count))
