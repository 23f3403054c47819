"""Feature extractors from the library timm."""

from difflib import get_close_matches
from typing import Any

from bundle.text import describe_error
from rn_model.backbones.extractor import Extractor, import_library


def timm_extractor(name: str, arguments: dict[str, Any], channels: int) -> Extractor:
    """Make a model of timm with random weights and without its classifier.

    Args:
        name: name of the model in timm.
        arguments: keyword arguments of the model.
        channels: number of channels of the images.

    Raises:
        ValueError: if the library is missing, has no such model, or rejects the arguments.
    """
    model = _create(name, {"num_classes": 0, "in_chans": channels} | arguments)
    heads = model.pretrained_cfg.get("classifier") or ()
    return Extractor(model, (heads,) if isinstance(heads, str) else tuple(heads))


def timm_classifier(
    name: str, arguments: dict[str, Any], num_classes: int, channels: int
) -> Extractor:
    """Make a whole classifier of timm with random weights.

    Args:
        name, arguments, channels: see :func:`timm_extractor`.
        num_classes: number of classes.

    Raises:
        ValueError: see :func:`timm_extractor`.
    """
    return Extractor(_create(name, {"num_classes": num_classes, "in_chans": channels} | arguments))


def check_timm_name(name: str) -> None:
    """Check that timm has a model of that name.

    Raises:
        ValueError: if it has none, with similar names; or if the library is missing.
    """
    known = import_library("timm").list_models()
    if name not in known:
        near = ", ".join(get_close_matches(name, known)) or "none"
        raise ValueError(f"timm has no model {name!r}; similar names: {near}")


def _create(name: str, arguments: dict[str, Any]) -> Any:
    timm = import_library("timm")
    # Checked first, because timm could ask a server for a name that is not in its list.
    check_timm_name(name)
    try:
        return timm.create_model(name, **{"pretrained": False} | arguments)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise ValueError(f"timm cannot make {name}: {describe_error(error)}") from error
