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
    models = import_library("torchvision").models
    # Only classifiers, because by default other models download the weights of their backbone.
    known = models.list_models(module=models)
    if name not in known:
        near = ", ".join(get_close_matches(name, known)) or "none"
        raise ValueError(f"torchvision has no classifier {name!r}; similar names: {near}")
    auxiliary = name in _WITH_AUXILIARY
    if auxiliary:
        arguments = {"init_weights": True} | arguments | {"aux_logits": False}
    try:
        model = models.get_model(name, weights=None, **arguments)
        extractor = drop_classifier(model)
        adapt_input(model, channels)
    except (TypeError, ValueError) as error:
        raise ValueError(f"torchvision cannot make {name}: {describe_error(error)}") from error
    return replace(extractor, heads=(*extractor.heads, *_AUXILIARY)) if auxiliary else extractor
