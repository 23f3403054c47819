"""Networks of the library timm."""

from difflib import get_close_matches
from typing import Any

from bundle.text import describe_error
from rn_model.backbones.extractor import Extractor, import_library


def timm_extractor(name: str, arguments: dict[str, Any], channels: int) -> Extractor:
    """A model of timm, with random weights and without its classifier.

    Raises:
        ValueError: if the library is missing, knows no such model, or refuses the arguments.
    """
    timm = import_library("timm")
    # Looked up first: a name that is not in the list could make timm ask a server for it.
    if name not in timm.list_models():
        near = ", ".join(get_close_matches(name, timm.list_models())) or "none"
        raise ValueError(f"timm has no model {name!r}; of similar name: {near}")
    try:
        model = timm.create_model(
            name, **{"pretrained": False, "num_classes": 0, "in_chans": channels} | arguments
        )
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise ValueError(f"timm cannot make {name}: {describe_error(error)}") from error
    heads = model.pretrained_cfg.get("classifier") or ()
    return Extractor(model, (heads,) if isinstance(heads, str) else tuple(heads))
