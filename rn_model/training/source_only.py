"""Measures the network before the adaptation, once for all runs that start with the same weights."""

import json
from pathlib import Path

from torch import nn

from rn_model.layers import Normalization
from rn_model.training.context import RunContext, image_fingerprints
from rn_model.training.evaluation.measurement import Measurement, measure

_last: dict[str, Measurement] = {}


def measure_source_only(
    context: RunContext, network: nn.Module, weights: Path | None
) -> Measurement:
    """Measure a converted network whose branches both hold the statistics of the source.

    Args:
        context: context of the run.
        network: network to measure.
        weights: file that the network was loaded from, if other runs start with it too. The last
            measurement of such a network is kept, for the next run in this process.
    """
    max_images = context.config.training.population_images
    key = None if weights is None else _key(context, weights, max_images)
    if key is not None and key in _last:
        return _last[key]
    found = measure(network, context.task, context.reader, max_images, max_labelled=max_images)
    if key is not None:
        _last.clear()
        _last[key] = found
    return found


def _key(context: RunContext, weights: Path, max_images: int) -> str:
    """Everything that the measurement depends on."""
    config, task, file = context.config, context.task, weights.stat()
    prints = image_fingerprints(task) | {"test": task.test and task.test.fingerprint}
    return json.dumps(
        {
            "weights": [str(weights.resolve()), file.st_mtime_ns, file.st_size],
            "images": prints,
            "max_images": max_images,
            "preprocessing": config.preprocessing.model_dump(mode="json"),
            "backbone": config.backbone.model_dump(mode="json"),
            "normalization": _effect(config.normalization),
            "device": str(context.fabric.device),
        },
        sort_keys=True,
    )


def _effect(normalization: Normalization) -> str:
    """Text that is equal for normalizations that predict alike before the adaptation.

    Where both branches have the same statistics and nothing has been trained, every normalization is a
    BatchNorm, except TransNorm, which weights channels. With options, none is assumed to be.
    """
    plain = normalization == Normalization(kind=normalization.kind)
    return "batch norm" if plain and normalization.kind != "transnorm" else repr(normalization)
