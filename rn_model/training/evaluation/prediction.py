"""What a network makes of a set of images in evaluation mode."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from bundle.preprocessing import Preprocessing
from rn_model.backbones.classifier import classifier_input
from rn_model.data import ImageSet
from rn_model.data.tensors import to_input
from rn_model.layers.distributed import gather_batch, rank, world_size
from rn_model.layers.domain_norm import domain_norms, set_branch
from rn_model.layers.domains import DOMAINS, Domain
from rn_model.layers.population_moments import estimate_moments
from rn_model.training.batches.loader import ordered_batches

_BATCH = 256


@dataclass(frozen=True)
class Predictions:
    """Of ``M`` images.

    Attributes:
        features: what entered the classifier, ``(M, D)``.
        probability: ``(M, K)``.
        labels: ``(M,)``; -1 where unknown.
    """

    features: Tensor
    probability: Tensor
    labels: Tensor

    @property
    def accuracy(self) -> float | None:
        """The part of the labelled images whose greatest probability is the label's; None without."""
        known = self.labels >= 0
        if not bool(known.any()):
            return None
        correct = self.probability.argmax(dim=1)[known] == self.labels[known]
        return float(correct.double().mean())


@dataclass(frozen=True)
class Reader:
    """How images become the network's input.

    Attributes:
        preprocessing: the contract.
        device: where the network is.
        workers: processes that read images.
        before_batch: called before each batch; may raise to stop the reading.
    """

    preprocessing: Preprocessing
    device: torch.device
    workers: int = 0
    before_batch: Callable[[], None] | None = None

    def inputs(self, images: ImageSet, indices: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs ``(N, C, H, W)`` and labels ``(N,)``, batch after batch, in order."""
        for batch in ordered_batches(images, indices, batch_size=_BATCH, workers=self.workers):
            if self.before_batch is not None:
                self.before_batch()
            pixels, labels, _ = batch.to(self.device)
            yield to_input(pixels, self.preprocessing), labels

    def only_inputs(self, images: ImageSet, indices: Sequence[int]) -> Iterator[Tensor]:
        """The same without labels."""
        return (inputs for inputs, _ in self.inputs(images, indices))


@torch.no_grad()
def predict(
    model: nn.Module, images: ImageSet, indices: Sequence[int], reader: Reader, branch: Domain
) -> Predictions:
    """Features and probabilities of some images of a set, through one branch, on every process.

    Several processes share the work.
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
            # An empty share still needs its shapes to be gathered.
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


def spread(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` indices, evenly spread."""
    if count <= most:
        return list(range(count))
    return [number * count // most for number in range(most)]


def set_population_moments(
    model: nn.Module, source: Sequence[ImageSet], target: ImageSet, reader: Reader, most: int
) -> None:
    """Replace the running moments of both domains by those of (at most ``most`` of) their images.

    The effective moments of a domain are made of the raw ones of both. So while one domain is
    estimated the other must be nearly right: its running average at first, and the target, which is
    what will be exported, comes last.
    """
    for domain, sets in zip(DOMAINS, (list(source), [target]), strict=True):
        estimate_moments(model, partial(_joined, sets, reader, most // len(sets)), domain)


def _joined(sets: Sequence[ImageSet], reader: Reader, most: int) -> Iterator[Tensor]:
    for images in sets:
        yield from reader.only_inputs(images, spread(len(images), max(1, most)))
