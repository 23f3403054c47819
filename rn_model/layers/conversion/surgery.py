"""Replaces modules of a network."""

from collections.abc import Callable

from torch import nn


def replace_modules(
    model: nn.Module, change: Callable[[str, nn.Module], nn.Module | None]
) -> nn.Module:
    """Replace modules of a model, in place and wherever they are used.

    Args:
        model: model to change.
        change: function that gets the name of each module and the module, and returns its replacement,
            or None to keep it.

    Returns:
        The model, or its replacement if the model itself is replaced.
    """
    replaced: dict[nn.Module, nn.Module] = {}
    for name, module in model.named_modules():
        new = change(name, module)
        if new is not None:
            replaced[module] = new
    if model in replaced:
        return replaced[model]
    for parent in model.modules():
        for name, child in list(parent._modules.items()):
            if child in replaced:
                setattr(parent, name, replaced[child])
    return model
