"""Feature extractors: networks without their classifier."""

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
    """A network that computes the features of images, and how its files of weights name them.

    Attributes:
        module: network from ``(N, C, H, W)`` to ``(N, F)`` or ``(N, F, h, w)``.
        heads: names, in files of weights, of the classifiers that were removed.
        pretrained: part of ``module`` that files of weights describe; None for all of it.
    """

    module: nn.Module
    heads: tuple[str, ...] = ()
    pretrained: nn.Module | None = None


def import_library(name: str) -> Any:
    """Import an optional library.

    Raises:
        ValueError: if it is not installed or cannot be imported.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise ValueError(
                f"{name} is not installed: {install_command('backbones')}, or {name} itself"
            ) from error
        raise ValueError(f"{name} cannot be imported: {describe_error(error)}") from error
    except Exception as error:  # a library built for another version of torch can raise anything
        raise ValueError(f"{name} cannot be imported: {describe_error(error)}") from error


def drop_classifier(model: nn.Module) -> Extractor:
    """Remove the classifier of a model, its last linear layer, in place.

    Raises:
        ValueError: if the model has no linear layer, or is nothing but one.
    """
    name = final_linear_name(model)
    if not name:
        raise ValueError(
            "the network is a single linear layer, so it has no features before its classifier"
        )
    model.set_submodule(name, nn.Identity())
    return Extractor(model, (name,))


def output_of(model: nn.Module, channels: int, size: Size | None = None) -> Tensor:
    """The output of a model for a black image, computed in evaluation mode.

    The model is left in training mode.

    Args:
        model: network of images ``(N, C, H, W)``.
        channels: number of channels C.
        size: height and width; None to try each of :data:`PROBE_SIZES`.

    Raises:
        ValueError: if the model fails on such images, or returns anything but one tensor.
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
            f"the network fails on images of shape ({channels}, {height}, {width}):"
            f" {describe_error(failure)}"
        ) from failure
    model.train()
    if not isinstance(output, Tensor):
        raise ValueError(f"the network returns a {type(output).__name__}, not one tensor")
    return output


def count_features(model: nn.Module, channels: int, size: Size | None = None) -> int:
    """The number of features F of a model.

    Raises:
        ValueError: see :func:`output_of`; or if the features are neither ``(N, F)`` nor ``(N, F, h, w)``.
    """
    shape = tuple(output_of(model, channels, size).shape)
    if len(shape) not in (2, 4):
        raise ValueError(f"features must have shape (N, F) or (N, F, h, w), not {shape}")
    return shape[1]
