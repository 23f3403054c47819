"""The adaptation stage: training on both domains with the chosen normalization and objectives."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from rn_model.backbones.classifier import final_linear
from rn_model.data import ImageSet
from rn_model.layers.domain_norm import set_branch
from rn_model.layers.domains import Domain
from rn_model.layers.population_moments import estimate_moments
from rn_model.objectives import Objective, TargetPredictions, make_objective
from rn_model.training.context import RunContext
from rn_model.training.evaluation.checkpoint_selection import CheckpointSelector
from rn_model.training.evaluation.prediction import predict
from rn_model.training.evaluation.reader import spread
from rn_model.training.seeds import combine_seeds
from rn_model.training.stages.losses import WeightedObjective
from rn_model.training.stages.stage import Stage

_INITIAL_IMAGES = 2048


def adaptation_stage(
    context: RunContext,
    network: nn.Module,
    selector: CheckpointSelector,
    evaluate: Callable[[int], dict[str, Any]],
) -> Stage:
    """Prepare a network and its objectives for the adaptation.

    Args:
        context: context of the run.
        network: converted network with the weights of the source stage.
        selector: decides which network is kept.
        evaluate: measures the network after a step, offers it to ``selector``, and returns an entry
            for the history.
    """
    config = context.config
    initialize_target(context, network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(combine_seeds(config.seed, 8))
        objectives = _objectives(context, network)
    if config.source_free:
        for parameter in final_linear(network).parameters():
            parameter.requires_grad_(False)
    sets: dict[Domain, list[ImageSet]] = {}
    if not config.source_free:
        sets["source"] = list(context.sources)
    if config.uses_target:
        sets["target"] = [context.target]
    refreshed = [w.objective for w in objectives if w.objective.needs_refresh]
    return Stage(
        name="adapt",
        steps=config.training.steps,
        network=network,
        sets=sets,
        objectives=objectives,
        views=context.views,
        selector=selector,
        evaluate=evaluate,
        refresh=partial(_refresh, context, network, refreshed) if refreshed else None,
        refresh_every=max(1, len(context.target) // config.training.batch_size),
    )


def initialize_target(context: RunContext, network: nn.Module) -> None:
    """Estimate the statistics of the target branch before the first step.

    Up to here they are those of the source, which would make the first pseudo-labels worse.
    """
    target, reader = context.task.target, context.reader
    max_images = min(_INITIAL_IMAGES, context.config.training.population_images)
    indices = spread(len(target), max_images)
    set_branch(network, "target")
    estimate_moments(network, partial(reader.only_inputs, target, indices), "target")


def _objectives(context: RunContext, network: nn.Module) -> list[WeightedObjective]:
    classifier = final_linear(network)
    return [
        WeightedObjective(
            config.name,
            config.weight,
            make_objective(
                config,
                num_features=classifier.in_features,
                num_classes=classifier.out_features,
                num_target=len(context.target),
            ),
        )
        for config in context.config.objectives
    ]


def _refresh(context: RunContext, network: nn.Module, objectives: list[Objective]) -> None:
    target = context.task.target
    found = predict(network, target, range(len(target)), context.reader, "target")
    device = context.fabric.device
    predictions = TargetPredictions(
        found.features.to(device), found.probability.to(device), final_linear(network)
    )
    for objective in objectives:
        objective.refresh(predictions)
