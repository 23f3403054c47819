"""The optimizer of a run, and its learning rate as a function of the step."""

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
    """SGD over all that is trained; frozen parameters are left out.

    Parameters that a normalization keeps in a range have no weight decay: it would move them although
    no gradient does.
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
    """Of the groups with rate 1, in the step after ``step`` of ``steps``."""
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
    """Give every group its part of a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value * group["rate"]
