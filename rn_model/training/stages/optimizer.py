"""SGD with one learning rate per group of parameters, and the learning rate schedules."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from rn_model.backbones import split_parameters
from rn_model.layers import parameter_groups
from rn_model.training.config import TrainingConfig


def make_optimizer(
    network: nn.Module, objectives: Iterable[nn.Module], config: TrainingConfig
) -> torch.optim.SGD:
    """Make the SGD optimizer of all trainable parameters of the network and the objectives.

    Bounded parameters of a normalization (RN's gates, AutoDIAL's shares) get no weight decay, which
    would move them even without a gradient.
    """
    plain, *bounded = parameter_groups(network, config.weight_decay)
    known = {id(parameter) for parameter in plain["params"]}
    backbone, head = (
        [parameter for parameter in part if id(parameter) in known]
        for part in split_parameters(network)
    )
    others = [parameter for objective in objectives for parameter in objective.parameters()]
    groups = [
        {"params": backbone, "rate": config.backbone_rate, "weight_decay": config.weight_decay},
        {"params": head + others, "rate": 1.0, "weight_decay": config.weight_decay},
        *({**group, "rate": config.gate_rate} for group in bounded),
    ]
    trained = []
    for group in groups:
        parameters = [parameter for parameter in group["params"] if parameter.requires_grad]
        if parameters:
            trained.append({**group, "params": parameters})
    return torch.optim.SGD(
        trained,
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=config.momentum > 0,
    )


def learning_rate(config: TrainingConfig, step: int, steps: int) -> float:
    """Learning rate of the groups with rate 1, for the step that follows ``step`` of ``steps``."""
    progress = step / steps
    if config.schedule == "cosine":
        factor = (1 + math.cos(math.pi * progress)) / 2
    elif config.schedule == "inverse":
        factor = (1 + 10 * progress) ** -0.75
    else:
        factor = 1.0
    if step < config.warmup:
        factor *= (step + 1) / (config.warmup + 1)
    return config.learning_rate * factor


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate of every group to ``value`` times the group's rate."""
    for group in optimizer.param_groups:
        group["lr"] = value * group["rate"]
