"""The network of a run before training: backbone, pretrained weights, converted normalization."""

from pathlib import Path

import torch
from torch import nn

from rn_model.backbones import make_network
from rn_model.checks.trial import check_network
from rn_model.data import Task
from rn_model.layers import Normalization, convert_normalization
from rn_model.layers.distributed import world_size
from rn_model.layers.domain_norm import domain_norms
from rn_model.runs.tensors import encode_tensors
from rn_model.training.config import RunConfig
from rn_model.training.errors import TrainingError
from rn_model.training.seeds import combine_seeds


def build_network(
    config: RunConfig, task: Task, normalization: Normalization, base: Path
) -> nn.Module:
    """Make the network of a run, with its pretrained weights if it has any, on the CPU.

    Args:
        config: configuration of the run.
        task: images of the run.
        normalization: normalization that replaces every BatchNorm layer.
        base: folder that relative paths of the configuration start from.

    Raises:
        ValueError: if the network cannot be made, or has no layer that can be converted.
    """
    backbone = config.backbone.within(base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(combine_seeds(config.seed, 7))
        contract = config.preprocessing
        size = contract.height, contract.width
        network = make_network(backbone, len(task.classes), contract.channels, size)
    network = convert_normalization(network, normalization)
    if next(domain_norms(network), None) is None:
        raise TrainingError(
            f"{backbone.name} has no BatchNorm layer that {normalization.kind} can replace; only"
            " layers that keep running statistics can be replaced"
        )
    return network


def check_before_training(config: RunConfig, network: nn.Module) -> None:
    """Run a few images through a network, and encode its weights, before it is trained.

    Args:
        config: configuration of the run.
        network: result of :func:`build_network`, which must not be used afterwards.

    Raises:
        ValueError: if training or export would fail, or get something wrong; it names the layer.
    """
    contract = config.preprocessing
    shape = contract.channels, contract.height, contract.width
    check_network(network, shape, backward=world_size() == 1)
    encode_tensors(network.state_dict())
