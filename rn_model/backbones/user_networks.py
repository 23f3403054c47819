"""The user's own networks, and the built-in ones, which are made in the same way."""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from bundle.text import describe_error
from rn_model.backbones.built_in import built_in_network
from rn_model.backbones.classifier import final_linear, final_linear_name
from rn_model.backbones.config import BackboneConfig
from rn_model.backbones.extractor import Extractor, Size, drop_classifier, output_of
from rn_model.layers.conversion.refusals import check_convertible

_CHANNELS = ("channels", "in_channels", "in_chans", "num_channels")


def make_user_network(
    config: BackboneConfig, num_classes: int, channels: int
) -> tuple[nn.Module, bool]:
    """Make a network with the callable that a configuration names.

    If the callable has arguments of these names and the configuration does not set them, it gets
    ``num_classes``, and the number of channels as ``channels``, ``in_channels``, ``in_chans`` or
    ``num_channels``.

    Returns:
        The network, and whether it is a whole classifier.

    Raises:
        ValueError: if the callable cannot be found, fails, or does not return a network.
    """
    maker = _find(config)
    given: dict[str, Any] = dict(config.arguments)
    try:
        taken = inspect.signature(maker).parameters
        if "num_classes" in taken:
            given.setdefault("num_classes", num_classes)
        for name in _CHANNELS:
            if name in taken:
                given.setdefault(name, channels)
        network = maker(**given)
    except Exception as error:  # the callable is the user's code
        reason = describe_error(error)
        raise ValueError(f"cannot make the network {config.name}: {reason}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{config.name} returned a {type(network).__name__}, not a network")
    if isinstance(network, torch.jit.ScriptModule):
        check_convertible("", network)
    return network, "num_classes" in given


def check_classifier(
    network: nn.Module, name: str, num_classes: int, channels: int, size: Size | None = None
) -> None:
    """Check that a network is a classifier of images with the given classes, channels and size.

    Args:
        network: network to check.
        name: name of the network in error messages.
        num_classes, channels, size: see :func:`rn_model.backbones.make_network`.

    Raises:
        ValueError: if its last linear layer does not have one output per class, it fails on such images,
            or it does not return one logit per class.
    """
    outputs = final_linear(network).out_features
    if outputs != num_classes:
        where = final_linear_name(network) or "itself"
        raise ValueError(
            f"the last linear layer of {name}, {where}, must have one output for each of the "
            f"{num_classes} classes, not {outputs}"
        )
    shape = tuple(output_of(network, channels, size).shape)
    if shape != (1, num_classes):
        raise ValueError(f"{name} must return logits (N, {num_classes}), not {('N', *shape[1:])}")


def user_features(network: nn.Module, channels: int, size: Size | None = None) -> Extractor:
    """The feature extractor of a network, without the linear layer that makes its output, if any."""
    if not any(isinstance(module, nn.Linear) for module in network.modules()):
        return Extractor(network)
    made: list[Tensor] = []
    handle = final_linear(network).register_forward_hook(lambda _, __, y: made.append(y))
    try:
        output = output_of(network, channels, size)
    finally:
        handle.remove()
    if made and made[-1] is output:
        return drop_classifier(network)
    return Extractor(network)


def _find(config: BackboneConfig) -> Callable[..., Any]:
    built_in = built_in_network(config.name)
    if built_in is not None:
        return built_in
    try:
        found = getattr(_module(config.module), config.model)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ValueError(
            f"cannot find the network {config.name}: {describe_error(error)}"
        ) from error
    if not callable(found):
        raise ValueError(
            f"{config.name} is not callable: name a function or class that makes a network"
        )
    return found  # type: ignore[no-any-return]


def _module(where: str) -> ModuleType:
    if not where.endswith(".py"):
        return import_module(where)
    path = Path(where).resolve()
    if not path.is_file():
        raise ImportError(f"there is no file {path}")
    name = f"backbone_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # pickle looks up the classes of a module here
    spec.loader.exec_module(module)
    return module
