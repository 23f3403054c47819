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
    timm = import_library("timm")
    # Checked first, because timm could ask a server for a name that is not in its list.
    if name not in timm.list_models():
        near = ", ".join(get_close_matches(name, timm.list_models())) or "none"
        raise ValueError(f"timm has no model {name!r}; similar names: {near}")
    try:
        model = timm.create_model(
            name, **{"pretrained": False, "num_classes": 0, "in_chans": channels} | arguments
        )
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise ValueError(f"timm cannot make {name}: {describe_error(error)}") from error
    heads = model.pretrained_cfg.get("classifier") or ()
    return Extractor(model, (heads,) if isinstance(heads, str) else tuple(heads))
