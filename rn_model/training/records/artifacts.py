"""Files of a finished run: networks with their records, predictions, diagnostics and the result."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bundle.preprocessing import Pixels
from bundle.writing.atomic import write_file
from rn_model.backbones import factory_arguments
from rn_model.data import Task
from rn_model.layers.diagnostics import layer_diagnostics
from rn_model.layers.domain_norm import set_branch
from rn_model.runs.factories import BACKBONE
from rn_model.runs.record import Run, RunRecord, fingerprint, write_run
from rn_model.runs.rows import Row
from rn_model.training.config import RunConfig
from rn_model.training.context import RunContext
from rn_model.training.errors import writing
from rn_model.training.evaluation.measurement import Measurement
from rn_model.training.evaluation.reader import spread
from rn_model.training.records.pictures import sample_pictures
from rn_model.training.result import FILE, SOURCE_ONLY, Result

EVALUATION = "evaluation.npz"
LAYERS = "layers.json"
SOURCE_ONLY_FOLDER = "source_only"
_EMBEDDED = 1000


def write_artifacts(
    context: RunContext,
    out: Path,
    before: tuple[nn.Module, Measurement],
    after: tuple[nn.Module, Measurement],
    result: Result,
) -> None:
    """Write the files of a finished run; ``result.json``, which marks it as finished, comes last.

    Args:
        context: context of the run.
        out: directory of the run.
        before: network before the adaptation, and its measurement.
        after: network that was kept, and its measurement.
        result: result with the row of the network before the adaptation.

    Raises:
        TrainingError: if the disk is full or not writable.
    """
    assert result.before is not None
    layers = [layer.model_dump(mode="json") for layer in layer_diagnostics(after[0])]
    rows = [result.before, result.row()]
    with writing(out):
        write_file(out / EVALUATION, _evaluation(context, before[1], after[1]))
        write_file(out / LAYERS, f"{json.dumps(layers, indent=1)}\n".encode())
        (out / SOURCE_ONLY_FOLDER).mkdir(exist_ok=True)
        source_only = _run(context, before[0], rows[:1], SOURCE_ONLY, None, result)
        write_run(out / SOURCE_ONLY_FOLDER, source_only)
        write_run(out, _run(context, after[0], rows, result.kept, _kept_images(context), result))
        write_file(out / FILE, result.content())


def _evaluation(context: RunContext, before: Measurement, after: Measurement) -> bytes:
    """Features of some images before and after the adaptation, target predictions, and pictures."""
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
        "before_predicted": before.labelled.probability.argmax(dim=1),
        "before_probability": before.labelled.probability,
        "target_probability": after.labelled.probability,
        "target_true": after.labelled.labels,
    }
    buffer = io.BytesIO()
    columns: dict[str, Any] = {name: value.numpy() for name, value in arrays.items()}
    columns |= sample_pictures(context.task, after.target, context.config.keep_images)
    np.savez_compressed(buffer, **columns)
    return buffer.getvalue()


def _run(
    context: RunContext,
    network: nn.Module,
    rows: list[Row],
    model: str,
    target: Pixels | None,
    result: Result,
) -> Run:
    task = context.task
    prints = {f"source {images.name}": images.fingerprint for images in task.sources}
    if model != SOURCE_ONLY:
        prints[f"target {task.target.name}"] = task.target.fingerprint
        if task.probe is not None:
            prints[f"probe {task.probe.name}"] = task.probe.fingerprint
    if target is not None:
        prints["target"] = fingerprint(target)
    run = describe_run(context.config, task, context.base, network, rows, model, prints, target)
    record = run.record.model_copy(update={"class_shares": result.class_shares})
    return replace(run, record=record)


def describe_run(
    config: RunConfig,
    task: Task,
    base: Path,
    network: nn.Module,
    rows: list[Row],
    model: str,
    prints: dict[str, str],
    target: Pixels | None,
) -> Run:
    """A network of a run on the CPU, in evaluation mode on the target branch, with its record.

    Args:
        config: configuration of the run.
        task: images of the run.
        base: folder that relative paths of the configuration start from.
        network: network to save.
        rows: results of the run.
        model: name of the network's row.
        prints: fingerprints of the images by role.
        target: target images to keep; None for none.
    """
    size = config.preprocessing.height, config.preprocessing.width
    backbone = config.backbone.within(base)
    set_branch(network, "target")
    record = RunRecord(
        factory=BACKBONE,
        factory_arguments=factory_arguments(
            backbone, len(task.classes), config.preprocessing.channels, size
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


def _kept_images(context: RunContext) -> Pixels | None:
    count = context.config.keep_images
    if count == 0:
        return None
    return context.task.target.read(spread(len(context.task.target), count))
