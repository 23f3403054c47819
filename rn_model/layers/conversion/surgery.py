"""Replaces modules of a network."""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

_HOOKS = (
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks",
    "_forward_hooks_always_called",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
)


def replace_modules(
    model: nn.Module, change: Callable[[str, nn.Module], nn.Module | None]
) -> nn.Module:
    """Replace modules of a model, in place and wherever they are used; hooks move to the replacement.

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
    for old, new in replaced.items():
        _move_hooks(old, new)
    if model in replaced:
        return replaced[model]
    for parent in model.modules():
        for name, child in list(parent._modules.items()):
            if child in replaced:
                setattr(parent, name, replaced[child])
    return model


def _move_hooks(old: nn.Module, new: nn.Module) -> None:
    """Move forward and backward hooks; their handles remain valid, because the dicts stay the same."""
    for name in _HOOKS:
        setattr(new, name, getattr(old, name))
        setattr(old, name, OrderedDict())
    new._is_full_backward_hook = old._is_full_backward_hook
    old._is_full_backward_hook = None
