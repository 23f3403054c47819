"""The losses of one training step: cross-entropy on the source, and the objectives."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rn_model.backbones.classifier import classifier_input
from rn_model.layers.distributed import gather_batch
from rn_model.objectives import Batch, Objective
from rn_model.training.batches.loader import ImageBatch

CROSS_ENTROPY = "cross_entropy"


class WeightedObjective(NamedTuple):
    """A named objective and its weight relative to the cross-entropy."""

    name: str
    weight: float
    objective: Objective


class StepInputs(NamedTuple):
    """Input of the network in one step, and the batches that it was made from.

    Attributes:
        images: ``(N, C, H, W)``, source images first.
        source: batch of source images; None if there are none.
        target: batch of target images; None if there are none.
    """

    images: Tensor
    source: ImageBatch | None
    target: ImageBatch | None

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of source images and of target images."""
        return (
            0 if self.source is None else len(self.source.pixels),
            0 if self.target is None else len(self.target.pixels),
        )


def losses(
    model: nn.Module,
    inputs: StepInputs,
    objectives: Sequence[WeightedObjective],
    *,
    progress: float,
    ramp: float,
    label_smoothing: float,
) -> dict[str, Tensor]:
    """Compute the cross-entropy on the source images, and each objective times its weight.

    Call it, and run the backward pass, within the :func:`rn_model.domain_split` of the batch. With several
    processes, every process computes the losses of their joined batch.

    Args:
        model: network, wrapped by Fabric or not.
        inputs: images of this process.
        objectives: objectives to add to the cross-entropy.
        progress: completed share of the training, from 0 to 1.
        ramp: factor for the weights of objectives that have no schedule of their own.
        label_smoothing: label smoothing of the cross-entropy.

    Returns:
        The losses by name; their sum is the total loss.
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


def _forward(model: nn.Module, inputs: StepInputs, progress: float) -> Batch:
    source, _ = inputs.sizes
    with classifier_input(model) as tap:
        logits = model(inputs.images)
    features = tap.features.float()
    device = logits.device
    none = torch.zeros(0, dtype=torch.int64, device=device)
    parts = [
        torch.cat([gather_batch(values[:source]), gather_batch(values[source:])])
        for values in (logits.float(), features)
    ]
    labels = gather_batch(none if inputs.source is None else inputs.source.labels)
    index = gather_batch(none if inputs.target is None else inputs.target.indices)
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
