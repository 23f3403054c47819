"""Makes the stage in which a network is trained on both domains."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rn_model.backbones.classifier import final_linear
from rn_model.data import ImageSet
from rn_model.layers.domain_norm import set_branch
from rn_model.layers.domains import Domain
from rn_model.layers.population_moments import estimate_moments
from rn_model.objectives import Objective, TargetPredictions, make_objective
from rn_model.training.batches.sampler import combine
from rn_model.training.context import Workshop, new_network
from rn_model.training.evaluation.checkpoint_selection import Keeper
from rn_model.training.evaluation.prediction import predict, spread
from rn_model.training.stages.loop import Stage
from rn_model.training.stages.losses import Weighted

_FIRST_LOOK = 2048

Evaluate = Callable[[str, nn.Module, Keeper | None, int], dict[str, Any]]


def adapted_network(workshop: Workshop, base: Path) -> nn.Module:
    """The network of a run with the normalization that it is adapted with."""
    return new_network(workshop, workshop.config.normalization, base)


def adapt_stage(
    workshop: Workshop, network: nn.Module, keeper: Keeper, evaluate: Evaluate
) -> Stage:
    """The stage on both domains.

    Args:
        workshop: of the run.
        network: converted, with its weights.
        keeper: decides which network is kept.
        evaluate: measures the network.
    """
    config = workshop.config
    begin_target(workshop, network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(combine(config.seed, 8))
        objectives = _objectives(workshop, network)
    if config.source_free:
        for parameter in final_linear(network).parameters():
            parameter.requires_grad_(False)
    sets: dict[Domain, list[ImageSet]] = {}
    if not config.source_free:
        sets["source"] = list(workshop.sources)
    if config.uses_target:
        sets["target"] = [workshop.target]
    hungry = [w.objective for w in objectives if w.objective.needs_refresh]
    return Stage(
        name="adapt",
        steps=config.training.steps,
        network=network,
        sets=sets,
        objectives=objectives,
        views=workshop.views,
        keeper=keeper,
        evaluate=lambda step: evaluate("adapt", network, keeper, step),
        refresh=partial(_refresh, workshop, network, hungry) if hungry else None,
        refresh_every=max(1, len(workshop.target) // config.training.batch_size),
    )


def begin_target(workshop: Workshop, network: nn.Module) -> None:
    """Give the target branch statistics of the target before its first step.

    Until now it has those of the source, which would make the first pseudo-labels worse.
    """
    target, reader = workshop.task.target, workshop.reader
    most = min(_FIRST_LOOK, workshop.config.training.population_images)
    indices = spread(len(target), most)
    set_branch(network, "target")
    estimate_moments(network, partial(reader.only_inputs, target, indices), "target")


def _objectives(workshop: Workshop, network: nn.Module) -> list[Weighted]:
    classifier = final_linear(network)
    return [
        Weighted(
            config.name,
            config.weight,
            make_objective(
                config,
                num_features=classifier.in_features,
                num_classes=classifier.out_features,
                num_target=len(workshop.target),
            ),
        )
        for config in workshop.config.objectives
    ]


def _refresh(workshop: Workshop, network: nn.Module, objectives: list[Objective]) -> None:
    target = workshop.task.target
    found = predict(network, target, range(len(target)), workshop.reader, "target")
    device = workshop.fabric.device
    predictions = TargetPredictions(
        found.features.to(device), found.probability.to(device), final_linear(network)
    )
    for objective in objectives:
        objective.refresh(predictions)
