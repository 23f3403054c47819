"""The losses of one batch, by name."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rn_model.backbones.classifier import classifier_input
from rn_model.layers.distributed import gather_batch
from rn_model.layers.domain_split import domain_split
from rn_model.objectives import Batch, Objective
from rn_model.training.batches.loader import ImageBatch

CROSS_ENTROPY = "cross_entropy"


class Weighted(NamedTuple):
    """An objective by its name, with its weight beside the cross-entropy."""

    name: str
    weight: float
    objective: Objective


class Inputs(NamedTuple):
    """Of one step: inputs ``(N, C, H, W)``, source images first, and the batches they are made of."""

    images: Tensor
    source: ImageBatch | None
    target: ImageBatch | None

    @property
    def sizes(self) -> tuple[int, int]:
        """Source and target images."""
        return (
            0 if self.source is None else len(self.source.pixels),
            0 if self.target is None else len(self.target.pixels),
        )


def losses(
    model: nn.Module,
    inputs: Inputs,
    objectives: Sequence[Weighted],
    *,
    progress: float,
    ramp: float,
    label_smoothing: float,
) -> dict[str, Tensor]:
    """Cross-entropy of the source's images, and each objective times its weight.

    With several processes each computes the losses of their batches joined.

    Args:
        model: a network, wrapped for training or not.
        inputs: of this process.
        objectives: that are added up.
        progress: part of the training that is done.
        ramp: factor of the weights of objectives that are not scheduled by themselves.
        label_smoothing: of the cross-entropy.
    """
    batch = _forward(model, inputs, progress)
    named: dict[str, Tensor] = {}
    if inputs.source is not None:
        weights = [weighted.objective.source_weight(batch) for weighted in objectives]
        named[CROSS_ENTROPY] = _cross_entropy(batch, weights, label_smoothing)
    for name, weight, objective in objectives:
        factor = weight if objective.scheduled else ramp * weight
        named[name] = factor * objective(batch)
    return named


def _forward(model: nn.Module, inputs: Inputs, progress: float) -> Batch:
    source, target = inputs.sizes
    with domain_split(model, source=source, target=target), classifier_input(model) as tap:
        logits = model(inputs.images)
    features = tap.features.float()
    device = logits.device
    none = torch.zeros(0, dtype=torch.int64, device=device)
    parts = [
        torch.cat([gather_batch(values[:source]), gather_batch(values[source:])])
        for values in (logits.float(), features)
    ]
    labels = gather_batch(none if inputs.source is None else inputs.source.labels)
    index = gather_batch(none if inputs.target is None else inputs.target.places)
    return Batch(
        logits=parts[0],
        features=parts[1],
        labels=labels,
        source=len(labels),
        target_index=index,
        progress=progress,
    )


def _cross_entropy(
    batch: Batch, weights: Sequence[Tensor | None], label_smoothing: float
) -> Tensor:
    loss = F.cross_entropy(
        batch.logits[: batch.source],
        batch.labels,
        reduction="none",
        label_smoothing=label_smoothing,
    )
    weight = torch.ones_like(loss)
    for factor in weights:
        if factor is not None:
            weight = weight * factor
    return (weight * loss).sum() / weight.sum().clamp_min(torch.finfo(loss.dtype).tiny)
