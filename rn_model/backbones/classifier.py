"""Reads what enters the classifier of any network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class Tap:
    """What has last entered the classifier, ``(N, D)``."""

    features: Tensor = field(default_factory=lambda: torch.empty(0))


def final_linear(model: nn.Module) -> nn.Linear:
    """The last linear layer of a network in definition order: its classifier.

    Raises:
        ValueError: if there is none.
    """
    return _final(model)[1]


def final_linear_name(model: nn.Module) -> str:
    """Where the classifier is in a network: ``""`` if the network is nothing but it.

    Raises:
        ValueError: if there is none.
    """
    return _final(model)[0]


@contextmanager
def classifier_input(model: nn.Module) -> Iterator[Tap]:
    """Within the block, every forward pass leaves the input of the classifier in the tap."""
    tap = Tap()

    def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        tap.features = inputs[0]

    handle = final_linear(model).register_forward_pre_hook(keep)
    try:
        yield tap
    finally:
        handle.remove()


def _final(model: nn.Module) -> tuple[str, nn.Linear]:
    layers = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    if not layers:
        raise ValueError("the network has no linear layer that could be its classifier")
    return layers[-1]
