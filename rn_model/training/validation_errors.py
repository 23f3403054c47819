"""One-line descriptions of invalid configurations, with suggestions for misspelled settings."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


def describe_invalid(error: ValidationError, model: type[BaseModel]) -> str:
    """Describe the first three errors in a configuration on one line.

    Args:
        error: error of a validation.
        model: type of the configuration, whose field names are suggested for unknown settings.
    """
    errors = error.errors(include_url=False)
    # Invalid elements also make a list too short; a second message about that would only distract.
    errors = [found for found in errors if not _follows(found, errors)]
    lines = []
    for found in errors[:3]:
        where = ".".join(str(part) for part in found["loc"])
        text = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            text = f"unknown setting{_suggestion(where, model)}"
        elif not isinstance(found["input"], Mapping):
            text = f"{text} (got {found['input']!r})"
        lines.append(f"{where}: {text}" if where else text)
    more = len(errors) - len(lines)
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def _follows(found: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    depth = len(found["loc"])
    return found["type"] == "too_short" and any(
        other["loc"][:depth] == found["loc"] and len(other["loc"]) > depth for other in errors
    )


def _suggestion(where: str, model: type[BaseModel]) -> str:
    kinds: list[Any] = [model]
    *parents, last = where.split(".")
    for parent in parents:
        if not parent.isdecimal():
            fields = [field for kind in kinds if (field := kind.model_fields.get(parent))]
            # A part that is not a field names one of several possible models.
            kinds = [kind for field in fields for kind in _models(field.annotation)] or kinds
    names = [name for kind in kinds for name in kind.model_fields]
    close = difflib.get_close_matches(last, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _models(annotation: Any) -> list[Any]:
    """The pydantic models in an annotation such as ``tuple[Model, ...] | None``."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
