"""Overrides of single settings by dotted name, such as ``training.steps=300``."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from rn_model.training.errors import TrainingError


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``NAME=VALUE`` into a dotted name and a value, which is parsed as YAML.

    Raises:
        TrainingError: if there is no name or no ``=``, or the value is not YAML.

    Example:
        >>> parse_override("training.steps=300")
        ('training.steps', 300)
    """
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise TrainingError(f"--set needs NAME=VALUE, e.g. training.steps=300, not {text!r}")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise TrainingError(f"--set {key}: {value!r} is not valid YAML") from error


def set_value(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set a value of a configuration by its dotted name; nested mappings and lists are copied first.

    Args:
        raw: configuration as nested mappings and lists; changed in place at the top level only.
        key: dotted name; elements of a list are named by their index, counted from 0.
        value: new value.

    Raises:
        TrainingError: if the name leads through a value without settings, or out of a list.
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
            raise TrainingError(f"cannot set {key}: {where} is {found!r}, which has no settings")
        _put(place, parent, inner)
        place = inner
    _item(place, last, key)
    _put(place, last, value)


def _item(place: dict[str, Any] | list[Any], name: str, key: str) -> Any:
    if isinstance(place, dict):
        return place.get(name)
    if not (name.isdecimal() and int(name) < len(place)):
        raise TrainingError(
            f"cannot set {key}: index {name!r} is out of range for a list of {len(place)}, counted from 0"
        )
    return place[int(name)]


def _put(place: dict[str, Any] | list[Any], name: str, value: Any) -> None:
    if isinstance(place, dict):
        place[name] = value
    else:
        place[int(name)] = value
