"""Feature extractors from the library torchvision."""

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from bundle.text import describe_error
from rn_model.backbones.extractor import Extractor, drop_classifier, import_library
from rn_model.backbones.input_channels import adapt_input

# Two of its models also have intermediate classifiers, and return several tensors in training.
_AUXILIARY = ("aux1", "aux2", "AuxLogits")
_WITH_AUXILIARY = ("googlenet", "inception_v3")


def torchvision_extractor(name: str, arguments: dict[str, Any], channels: int) -> Extractor:
    """Make a classifier of torchvision with random weights and without its last linear layer.

    Args:
        name: name of the model in torchvision.
        arguments: keyword arguments of the model.
        channels: number of channels of the images.

    Raises:
        ValueError: if the library is missing, has no such classifier, or rejects the arguments.
    """
    model = _create(name, arguments, channels)
    try:
        extractor = drop_classifier(model)
    except ValueError as error:
        raise ValueError(f"torchvision cannot make {name}: {describe_error(error)}") from error
    return replace(extractor, heads=(*extractor.heads, *_auxiliary(name)))


def torchvision_classifier(
    name: str, arguments: dict[str, Any], num_classes: int, channels: int
) -> Extractor:
    """Make a whole classifier of torchvision with random weights.

    Args:
        name, arguments, channels: see :func:`torchvision_extractor`.
        num_classes: number of classes.

    Raises:
        ValueError: see :func:`torchvision_extractor`.
    """
    model = _create(name, {"num_classes": num_classes} | arguments, channels)
    return Extractor(model, _auxiliary(name))


def check_torchvision_name(name: str) -> None:
    """Check that torchvision has a classifier of that name.

    Raises:
        ValueError: if it has none, with similar names; or if the library is missing.
    """
    models = import_library("torchvision").models
    # Only classifiers, because by default other models download the weights of their backbone.
    known = models.list_models(module=models)
    if name not in known:
        near = ", ".join(get_close_matches(name, known)) or "none"
        raise ValueError(f"torchvision has no classifier {name!r}; similar names: {near}")


def _create(name: str, arguments: dict[str, Any], channels: int) -> Any:
    models = import_library("torchvision").models
    check_torchvision_name(name)
    if name in _WITH_AUXILIARY:
        arguments = {"init_weights": True} | arguments | {"aux_logits": False}
    try:
        model = models.get_model(name, weights=None, **arguments)
        adapt_input(model, channels)
    except (TypeError, ValueError) as error:
        raise ValueError(f"torchvision cannot make {name}: {describe_error(error)}") from error
    return model


def _auxiliary(name: str) -> tuple[str, ...]:
    """Names of the intermediate classifiers in the files of a model."""
    return _AUXILIARY if name in _WITH_AUXILIARY else ()
