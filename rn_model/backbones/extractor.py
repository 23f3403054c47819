"""Features without their classifier, and what their files of weights look like."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from bundle.extras import install_command
from bundle.text import describe_error
from rn_model.backbones.classifier import final_linear_name

Size = tuple[int, int]
PROBE_SIZES: tuple[Size, ...] = ((64, 64), (224, 224))


@dataclass(frozen=True)
class Extractor:
    """What makes the features of an image.

    Attributes:
        module: from ``(N, C, H, W)`` to ``(N, F)`` or ``(N, F, h, w)``.
        heads: names in files of weights of the classifiers that were dropped.
        prefix: before the names of the features in files of weights of whole classifiers.
        pretrained: the part of ``module`` that files of weights are for; None for all of it.
    """

    module: nn.Module
    heads: tuple[str, ...] = ()
    prefix: str = ""
    pretrained: nn.Module | None = None


def import_library(name: str) -> Any:
    """Import a library that is installed only where it is needed.

    Raises:
        ValueError: if it is missing or broken.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise ValueError(
                f"{name} is not installed: {install_command('backbones')}, or {name} itself"
            ) from error
        raise ValueError(f"{name} cannot be imported: {describe_error(error)}") from error
    except Exception as error:  # a library built for another version of torch raises all kinds
        raise ValueError(f"{name} cannot be imported: {describe_error(error)}") from error


def drop_classifier(model: nn.Module) -> Extractor:
    """The features of a model whose last linear layer is its classifier, which is taken away in place.

    Raises:
        ValueError: if there is no linear layer, or nothing else.
    """
    name = final_linear_name(model)
    if not name:
        raise ValueError(
            "the network is one linear layer: it has no features before its classifier"
        )
    model.set_submodule(name, nn.Identity())
    return Extractor(model, (name,))


def output_of(model: nn.Module, channels: int, size: Size | None = None) -> Tensor:
    """What a model makes of a black image, in evaluation mode; it is left in training mode.

    Args:
        model: takes ``(N, C, H, W)``.
        channels: C.
        size: H and W; None to try :data:`PROBE_SIZES`.

    Raises:
        ValueError: if it cannot take such an image, or returns something else than one tensor.
    """
    model.eval()
    for height, width in PROBE_SIZES if size is None else (size,):
        try:
            with torch.no_grad():
                output = model(torch.zeros(1, channels, height, width))
            break
        except (RuntimeError, ValueError, TypeError, AssertionError) as error:
            failure = error
    else:
        raise ValueError(
            f"the network takes no images of shape ({channels}, {height}, {width}):"
            f" {describe_error(failure)}"
        ) from failure
    model.train()
    if not isinstance(output, Tensor):
        raise ValueError(f"the network returns a {type(output).__name__}, not one tensor")
    return output


def count_features(model: nn.Module, channels: int, size: Size | None = None) -> int:
    """Number F of features of a model.

    Raises:
        ValueError: as :func:`output_of`, or if the features are neither ``(N, F)`` nor ``(N, F, h, w)``.
    """
    shape = tuple(output_of(model, channels, size).shape)
    if len(shape) not in (2, 4):
        raise ValueError(f"features must have shape (N, F) or (N, F, h, w), not {shape}")
    return shape[1]
