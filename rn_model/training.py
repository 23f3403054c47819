"""Training on labelled source images, alone and together with unlabeled target ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from rn_model.augmentation import AffineBounds, random_affine
from rn_model.objectives import ConditionalDiscriminator, cdan_loss, mcc_loss, reversal_strength
from rn_model.reciprocal_norm import parameter_groups, project_gates
from rn_model.splitting import domain_split
from rn_model.tapping import classifier_input, final_linear

Objective = Literal["none", "mcc", "cdan", "mcc+cdan"]
Transform = Callable[[Tensor], Tensor]
Report = Callable[[int, int, float], None]


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes:
        objective: what target images are used for, beside the statistics: nothing, MCC, CDAN+E or both.
        steps: of the optimizer.
        batch_size: images of each domain in a step.
        learning_rate: at the start; falls to 0 along a cosine.
        momentum: of SGD, with Nesterov's correction.
        weight_decay: of everything but the gates.
        label_smoothing: of the source's cross-entropy.
        objective_weight: of each objective beside the cross-entropy.
        temperature: of MCC.
        ramp: part of the training in which the weight of MCC grows from 0.
        source_views: strength of random affine views of source images; 0 for none.
        target_views: the same of target images.
        seed: of the order of images, the views and the discriminator.
    """

    objective: Objective = "none"
    steps: int = 300
    batch_size: int = 48
    learning_rate: float = 0.02
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    objective_weight: float = 1.0
    temperature: float = 2.5
    ramp: float = 0.2
    source_views: float = 1.0
    target_views: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 2:
            raise ValueError("training needs at least 1 step and 2 images of each domain in it")


def train_source(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    transform: Transform,
    config: TrainingConfig,
    report: Report | None = None,
) -> None:
    """Train a network with BatchNorm, in place, on labelled source images alone.

    Args:
        images: ``(N, C, H, W)``, 0 to 1, 0 being the background.
        labels: ``(N,)``.
        transform: makes the network's input of a batch of views of ``images``.
        report: called after every step with its number, their count and the loss.
    """
    generator = torch.Generator().manual_seed(config.seed)
    optimizer, schedule = _optimizer(model, None, config)
    batches = _batches(len(images), config.batch_size, generator)
    model.train()
    for step in range(config.steps):
        index = next(batches)
        inputs = transform(_views(images[index], config.source_views, generator))
        loss = F.cross_entropy(model(inputs), labels[index], label_smoothing=config.label_smoothing)
        _step(model, loss, optimizer, schedule)
        if report is not None:
            report(step + 1, config.steps, float(loss.detach()))


def train_adaptation(
    model: nn.Module,
    source: Tensor,
    labels: Tensor,
    target: Tensor,
    transform: Transform,
    config: TrainingConfig,
    report: Report | None = None,
) -> None:
    """Train a network with domain-specific normalization, in place, on both domains.

    A step's batch is source images and after them target ones. Arguments as of :func:`train_source`;
    ``target`` is ``(M, C, H, W)``. The network's last linear layer counts as its classifier.
    """
    generator = torch.Generator().manual_seed(config.seed)
    discriminator = _discriminator(model, config)
    optimizer, schedule = _optimizer(model, discriminator, config)
    source_batches = _batches(len(source), config.batch_size, generator)
    target_batches = _batches(len(target), config.batch_size, generator)
    model.train()
    for step in range(config.steps):
        index = next(source_batches)
        views = [
            _views(source[index], config.source_views, generator),
            _views(target[next(target_batches)], config.target_views, generator),
        ]
        inputs = transform(torch.cat(views))
        sizes = [len(view) for view in views]
        with domain_split(model, source=sizes[0], target=sizes[1]), classifier_input(model) as tap:
            logits = model(inputs)
        loss = F.cross_entropy(
            logits[: sizes[0]], labels[index], label_smoothing=config.label_smoothing
        )
        progress = step / config.steps
        loss = loss + _objective(logits, tap.features, sizes[0], discriminator, progress, config)
        _step(model, loss, optimizer, schedule)
        if report is not None:
            report(step + 1, config.steps, float(loss.detach()))


def _objective(
    logits: Tensor,
    features: Tensor,
    source: int,
    discriminator: nn.Module | None,
    progress: float,
    config: TrainingConfig,
) -> Tensor:
    total = logits.new_zeros(())
    if "mcc" in config.objective:
        ramp = min(1.0, progress / config.ramp) if config.ramp > 0 else 1.0
        total = total + ramp * mcc_loss(logits[source:], config.temperature)
    if discriminator is not None:
        strength = reversal_strength(progress)
        total = total + cdan_loss(discriminator, features, logits, source=source, strength=strength)
    return config.objective_weight * total


def _discriminator(model: nn.Module, config: TrainingConfig) -> nn.Module | None:
    if "cdan" not in config.objective:
        return None
    classifier = final_linear(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return ConditionalDiscriminator(classifier.in_features, classifier.out_features)


def _optimizer(
    model: nn.Module, discriminator: nn.Module | None, config: TrainingConfig
) -> tuple[torch.optim.Optimizer, CosineAnnealingLR]:
    groups = parameter_groups(model, config.weight_decay)
    if discriminator is not None:
        groups[0]["params"] += discriminator.parameters()
    optimizer = torch.optim.SGD(
        groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0
    )
    return optimizer, CosineAnnealingLR(optimizer, config.steps)


def _step(
    model: nn.Module,
    loss: Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: CosineAnnealingLR,
) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    schedule.step()
    project_gates(model)


def _views(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    if strength == 0:
        return images
    return random_affine(images, AffineBounds().times(strength), generator)


def _batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices, every image once before any comes again."""
    queue = torch.empty(0, dtype=torch.int64)
    while True:
        while len(queue) < size:
            queue = torch.cat([queue, torch.randperm(count, generator=generator)])
        yield queue[:size]
        queue = queue[size:]
