"""The functions that make the network of a saved run, by the name in its record."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from rn_model.backbones import build
from rn_model.backbones.built_in import built_in_network
from rn_model.backbones.config import current_name

BACKBONE = "backbone"
"""The name of the factory for networks from a training configuration."""

_FACTORIES: Mapping[str, Callable[..., Any]] = {BACKBONE: build}
# Earlier versions recorded the module that defined the function.
_FORMER_NAMES = {"rn_model.backbones:build": BACKBONE}


def current_factory_name(name: str) -> str:
    """The current name of a factory, given its current or a former name."""
    return _FORMER_NAMES.get(name, current_name(name))


def find_factory(name: str) -> Callable[..., Any]:
    """Find the function that makes a network.

    Args:
        name: ``"backbone"``, a built-in network such as ``"digits:lenet"``, or
            ``"package.module:function"``, which imports the module.

    Raises:
        ValueError: if there is no such factory or built-in network.
        ImportError, AttributeError: if the module or its function cannot be found.
    """
    known = _FACTORIES.get(name) or built_in_network(name)
    if known is not None:
        return known
    module, _, function = name.partition(":")
    if not function:
        raise ValueError(f"unknown factory {name!r}; choose from {', '.join(_FACTORIES)}")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
