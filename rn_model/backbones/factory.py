"""Makes the network that a configuration describes, and makes it again for a saved run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from rn_model.backbones.adaptation_network import AdaptationNetwork
from rn_model.backbones.config import BackboneConfig
from rn_model.backbones.extractor import Extractor, Size, count_features
from rn_model.backbones.timm_models import timm_extractor
from rn_model.backbones.torchvision_models import torchvision_extractor
from rn_model.backbones.transformers_models import portable_name, transformers_extractor
from rn_model.backbones.user_networks import check_classifier, make_user_network, user_features
from rn_model.backbones.weights import load_classifier, load_features
from rn_model.layers.domain_norm import DomainNorm

_LIBRARIES: dict[str, Callable[[str, dict[str, Any], int], Extractor]] = {
    "timm": timm_extractor,
    "torchvision": torchvision_extractor,
    "transformers": transformers_extractor,
}


def make_network(
    config: BackboneConfig, num_classes: int, channels: int, size: Size | None = None
) -> nn.Module:
    """Make a classifier of images from its configuration.

    Nothing is ever downloaded. The last linear layer of the network in definition order is its
    classifier.

    Args:
        config: configuration of the network.
        num_classes: number of classes, K.
        channels: number of channels of the images, C.
        size: height and width of the images, needed by features that accept only one size.

    Returns:
        A network from float images ``(N, C, H, W)`` to logits ``(N, K)``, in training mode.

    Raises:
        ValueError: if there is no such network, its library is missing, it fails on such images, it has
            no BatchNorm, or the weights do not fit.
    """
    network = _make(config, num_classes, channels, size).train()
    if not any(isinstance(module, _BatchNorm | DomainNorm) for module in network.modules()):
        raise ValueError(f"{config.name} has no BatchNorm layer, so there is nothing to adapt")
    return network


def build(
    *, backbone: dict[str, Any], num_classes: int, channels: int, size: list[int] | None = None
) -> nn.Module:
    """Make a network again, with random weights, from the values of :func:`factory_arguments`."""
    config = BackboneConfig.model_validate(backbone | {"weights": None})
    shape = (size[0], size[1]) if size else None
    return make_network(config, num_classes, channels, shape)


def factory_arguments(
    config: BackboneConfig, num_classes: int, channels: int, size: Size | None = None
) -> dict[str, JsonValue]:
    """Keyword arguments of :func:`build` as JSON values, independent of files of weights and folders.

    Args:
        config, num_classes, channels, size: see :func:`make_network`.

    Raises:
        ValueError: if the configuration names a folder that does not exist.
    """
    name, arguments = config.name, config.arguments
    if config.library == "transformers":
        kind, arguments = portable_name(config.model, config.arguments)
        name = f"transformers:{kind}"
    elif config.library is None and config.module.endswith(".py"):
        name = f"{Path(config.module).resolve()}:{config.model}"
    return {
        "backbone": {"name": name, "arguments": arguments, "bottleneck": config.bottleneck},
        "num_classes": num_classes,
        "channels": channels,
        "size": list(size) if size else None,
    }


def _make(config: BackboneConfig, num_classes: int, channels: int, size: Size | None) -> nn.Module:
    weights = config.weights_file
    if config.library is None:
        network, whole = make_user_network(config, num_classes, channels)
        if whole:
            check_classifier(network, config.name, num_classes, channels, size)
            if weights is not None:
                load_classifier(network, weights)
            return network
        extractor = user_features(network, channels, size)
    else:
        make = _LIBRARIES[config.library]
        extractor = make(config.model, dict(config.arguments), channels)
    count = count_features(extractor.module, channels, size)
    if weights is not None:
        part = extractor.pretrained or extractor.module
        load_features(part, weights, heads=extractor.heads)
    return AdaptationNetwork(extractor.module, count, num_classes, config.bottleneck)
