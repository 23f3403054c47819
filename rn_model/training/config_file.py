"""Reads a run's configuration: a recipe or a YAML file, and what flags change in it."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from bundle.text import describe_error
from rn_model.recipes import expand_recipe, load_recipe, recipe_names
from rn_model.training.config import RunConfig
from rn_model.training.errors import TrainingError


def load_config(
    name: str,
    *,
    sources: Sequence[str] = (),
    target: str | None = None,
    data: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[RunConfig, Path]:
    """The configuration that a name means, and the folder that its relative paths begin at.

    Args:
        name: of a recipe, or path of a YAML file: a recipe of one's own (with ``domains``) or a
            whole configuration (with ``task``).
        sources: domains of a recipe that are labelled.
        target: domain of a recipe to adapt to.
        data: folder of a recipe's images.
        overrides: values by dotted names, such as ``training.steps``.

    Raises:
        TrainingError: in one line, if there is no such file or something in it is wrong.
    """
    raw, base = read_mapping(name)
    if "domains" in raw:
        try:
            raw = expand_recipe(raw, list(sources), target or "", data or base)
        except ValueError as error:
            raise TrainingError(f"{name}: {error}") from error
    elif sources or target or data:
        raise TrainingError(
            f"{name} is no recipe with domains: give its source, target and data in its task"
        )
    for key, value in (overrides or {}).items():
        set_value(raw, key, value)
    return validate(raw, name), base


def validate(raw: Mapping[str, Any], name: str) -> RunConfig:
    """A typed configuration.

    Raises:
        TrainingError: if something in it is wrong, in one line that says where.
    """
    try:
        return RunConfig.model_validate(raw)
    except ValidationError as error:
        raise TrainingError(f"{name}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """The first things that are wrong in a configuration, in one line."""
    lines = []
    for found in error.errors(include_url=False)[:3]:
        where = ".".join(str(part) for part in found["loc"])
        text = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            text = f"there is no such setting{_suggestion(where)}"
        elif not isinstance(found["input"], Mapping):
            text = f"{text} (it is {found['input']!r})"
        lines.append(f"{where}: {text}" if where else text)
    more = error.error_count() - len(lines)
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def read_mapping(name: str) -> tuple[dict[str, Any], Path]:
    """A recipe or a YAML file as it is written, and its folder.

    Raises:
        TrainingError: if there is none, or it is not a mapping.
    """
    path = Path(name).expanduser()
    if not path.suffix and name in recipe_names():
        return dict(load_recipe(name)), Path()
    if not path.is_file():
        raise TrainingError(
            f"there is no file {name} and no recipe of that name; recipes are"
            f" {', '.join(recipe_names())}"
        )
    try:
        raw = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainingError(f"{name} is not YAML: {describe_error(error)}") from error
    if not isinstance(raw, dict):
        raise TrainingError(f"{name} must be a mapping of settings, such as 'seed: 0'")
    return raw, path.parent


def parse_override(text: str) -> tuple[str, Any]:
    """``training.steps=300`` as name and value; the value is YAML.

    Raises:
        TrainingError: if there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise TrainingError(f"--set takes NAME=VALUE, such as training.steps=300, not {text!r}")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise TrainingError(f"--set {key}: {value!r} is not YAML") from error


def set_value(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set a value of a configuration by its dotted name; what is on the way is copied, not changed.

    Raises:
        TrainingError: if there is no such place.
    """
    *parents, last = key.split(".")
    place: Any = raw
    for number, parent in enumerate(parents):
        found = _item(place, parent, key)
        if isinstance(found, Mapping):
            inner: Any = dict(found)
        elif isinstance(found, Sequence) and not isinstance(found, str):
            inner = list(found)
        elif found is None:
            inner = {}
        else:
            where = ".".join(parents[: number + 1])
            raise TrainingError(f"cannot set {key}: {where} is {found!r} and has no settings")
        _put(place, parent, inner)
        place = inner
    _item(place, last, key)
    _put(place, last, value)


def _item(place: dict[str, Any] | list[Any], name: str, key: str) -> Any:
    if isinstance(place, dict):
        return place.get(name)
    if not (name.isdecimal() and int(name) < len(place)):
        raise TrainingError(
            f"cannot set {key}: {name!r} is no place in a list of {len(place)}, counted from 0"
        )
    return place[int(name)]


def _put(place: dict[str, Any] | list[Any], name: str, value: Any) -> None:
    if isinstance(place, dict):
        place[name] = value
    else:
        place[int(name)] = value


def _suggestion(where: str) -> str:
    kinds: list[Any] = [RunConfig]
    *parents, last = where.split(".")
    for parent in parents:
        if not parent.isdecimal():
            fields = [field for kind in kinds if (field := kind.model_fields.get(parent))]
            # What is no field names one of several models that are possible in this place.
            kinds = [kind for field in fields for kind in _models(field.annotation)] or kinds
    names = [name for kind in kinds for name in kind.model_fields]
    close = difflib.get_close_matches(last, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _models(annotation: Any) -> list[Any]:
    """The models in an annotation such as ``tuple[Model, ...] | None``."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
