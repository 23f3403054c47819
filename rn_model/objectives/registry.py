"""The objectives by name, and the options of each."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from rn_model.objectives.ba3us import BA3US
from rn_model.objectives.base import Objective
from rn_model.objectives.bnm import BNM
from rn_model.objectives.cdan import CDAN, EntropyCDAN
from rn_model.objectives.dann import DANN
from rn_model.objectives.etn import ETN
from rn_model.objectives.mcc import MCC
from rn_model.objectives.shot import SHOT

ObjectiveName = Literal["dann", "cdan", "cdan+e", "mcc", "shot", "bnm", "etn", "ba3us"]

OBJECTIVES: Mapping[ObjectiveName, type[Objective]] = {
    "dann": DANN,
    "cdan": CDAN,
    "cdan+e": EntropyCDAN,
    "mcc": MCC,
    "shot": SHOT,
    "bnm": BNM,
    "etn": ETN,
    "ba3us": BA3US,
}


def option_types(name: ObjectiveName) -> dict[str, Any]:
    """The names and types of an objective's options, which are its keyword-only arguments."""
    constructor = OBJECTIVES[name].__init__
    hints = get_type_hints(constructor, include_extras=True)
    parameters = inspect.signature(constructor).parameters.values()
    return {p.name: hints[p.name] for p in parameters if p.kind is p.KEYWORD_ONLY}


def check_options(name: ObjectiveName, options: Mapping[str, Any]) -> None:
    """Check the names and values of an objective's options.

    Raises:
        ValueError: if a name is unknown or a value invalid. The message is one line, which names the
            option and lists all options.
    """
    known = option_types(name)
    listed = ", ".join(f"{option} ({_describe(hint)})" for option, hint in known.items()) or "none"
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"objective {name} has no option {option!r}; its options: {listed}")
        try:
            TypeAdapter(known[option]).validate_python(value, strict=True)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ValueError(
                f"objective {name}, option {option}: invalid value {value!r} ({reason}); "
                f"its options: {listed}"
            ) from None


def _describe(hint: Any) -> str:
    kind = get_args(hint)[0] if get_args(hint) else hint
    return str(kind.__name__)
