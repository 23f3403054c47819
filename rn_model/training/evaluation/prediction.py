"""Predictions of a network in evaluation mode."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rn_model.backbones.classifier import classifier_input
from rn_model.data import ImageSet
from rn_model.layers.distributed import gather_batch, rank, world_size
from rn_model.layers.domain_norm import domain_norms, set_branch
from rn_model.layers.domains import Domain
from rn_model.training.evaluation.reader import Reader

_BATCH = 256


@dataclass(frozen=True)
class Predictions:
    """Predictions for ``M`` images.

    Attributes:
        features: input of the classifier, ``(M, D)``.
        probability: class probabilities, ``(M, K)``.
        labels: true classes, ``(M,)``; -1 where unknown.
    """

    features: Tensor
    probability: Tensor
    labels: Tensor

    @property
    def accuracy(self) -> float | None:
        """Accuracy on the labelled images, from 0 to 1; None if no label is known."""
        known = self.labels >= 0
        if not bool(known.any()):
            return None
        correct = self.probability.argmax(dim=1)[known] == self.labels[known]
        return float(correct.double().mean())


@torch.no_grad()
def predict(
    model: nn.Module, images: ImageSet, indices: Sequence[int], reader: Reader, branch: Domain
) -> Predictions:
    """Predict some images of a set through one branch.

    Several processes share the work, and each receives all predictions. The mode and the branches of
    the network are restored afterwards.

    Args:
        model: network to evaluate.
        images: image set.
        indices: indices of the images to predict.
        reader: reads the images.
        branch: domain whose statistics normalize the images.
    """
    share = len(indices) * rank() // world_size(), len(indices) * (rank() + 1) // world_size()
    own = indices[slice(*share)]
    training = [module for module in model.modules() if module.training]
    before = [(layer, layer.branch) for _, layer in domain_norms(model)]
    model.eval()
    set_branch(model, branch)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    try:
        with classifier_input(model) as tap:
            # Gathering needs shapes even from a process without images of its own.
            for inputs, labels in reader.inputs(images, own or indices[:1]):
                logits = model(inputs)
                parts.append((tap.features.float(), logits.float(), labels))
    finally:
        for layer, old in before:
            layer.branch = old
        for module in training:
            module.training = True
    features, logits, labels = (
        torch.cat(columns)[: len(own)] for columns in zip(*parts, strict=True)
    )
    return Predictions(
        gather_batch(features).cpu(),
        torch.softmax(gather_batch(logits), dim=1).cpu(),
        gather_batch(labels).cpu(),
    )
