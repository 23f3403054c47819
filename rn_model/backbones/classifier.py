"""The classifier of a network, its last linear layer, and the features that enter it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class Tap:
    """The features ``(N, D)`` that the classifier got in the latest forward pass."""

    features: Tensor = field(default_factory=lambda: torch.empty(0))


def final_linear(model: nn.Module) -> nn.Linear:
    """The classifier of a network, which is its last linear layer in definition order.

    Raises:
        ValueError: if the network has no linear layer.
    """
    return _final(model)[1]


def final_linear_name(model: nn.Module) -> str:
    """The name of the classifier within a network; ``""`` if it is the whole network.

    Raises:
        ValueError: if the network has no linear layer.
    """
    return _final(model)[0]


@contextmanager
def classifier_input(model: nn.Module) -> Iterator[Tap]:
    """Record the features that enter the classifier, in every forward pass within the block.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2))
        >>> with classifier_input(model) as tap:
        ...     logits = model(torch.zeros(4, 3, 2, 2))
        >>> tap.features.shape
        torch.Size([4, 5])
    """
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
