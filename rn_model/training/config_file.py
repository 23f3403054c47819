"""Reads the configuration of a run from a recipe or a YAML file, with overrides."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bundle.text import describe_error
from rn_model.recipes import expand_recipe, load_recipe, recipe_names
from rn_model.training.config import RunConfig
from rn_model.training.errors import TrainingError
from rn_model.training.overrides import set_value
from rn_model.training.validation_errors import describe_invalid


def load_config(
    name: str,
    *,
    sources: Sequence[str] = (),
    target: str | None = None,
    data: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[RunConfig, Path]:
    """Read the configuration of a run.

    Args:
        name: name of a recipe, or path of a YAML file: your own recipe (with ``domains``) or a whole
            configuration (with ``task``).
        sources: labelled domains of a recipe. Default: its ``source``.
        target: domain of a recipe to adapt to. Default: its ``target``.
        data: folder of the images of a recipe. Default: the folder of the file.
        overrides: values by dotted names, such as ``training.steps``.

    Returns:
        The configuration, and the folder that its relative paths start from.

    Raises:
        TrainingError: if there is no such file, or the configuration is invalid.
    """
    raw, base = read_mapping(name)
    if "domains" in raw:
        try:
            raw = expand_recipe(raw, list(sources), target or "", data or base)
        except ValueError as error:
            raise TrainingError(f"{name}: {error}") from error
    elif sources or target or data:
        raise TrainingError(
            f"{name} is not a recipe with domains: set source, target and data in its task"
        )
    for key, value in (overrides or {}).items():
        set_value(raw, key, value)
    return validate(raw, name), base


def validate(raw: Mapping[str, Any], name: str) -> RunConfig:
    """Check a configuration and make it typed.

    Args:
        raw: configuration as nested mappings and lists.
        name: name of the file or recipe, for messages.

    Raises:
        TrainingError: if the configuration is invalid; the message names the settings.
    """
    try:
        return RunConfig.model_validate(raw)
    except ValidationError as error:
        raise TrainingError(f"{name}: {describe_invalid(error, RunConfig)}") from error


def read_mapping(name: str) -> tuple[dict[str, Any], Path]:
    """Read a recipe or a YAML file without checking its settings.

    Returns:
        The mapping as written, and the folder that its relative paths start from.

    Raises:
        TrainingError: if there is no such file, or it is not a YAML mapping.
    """
    path = Path(name).expanduser()
    if not path.suffix and name in recipe_names():
        return dict(load_recipe(name)), Path()
    if not path.is_file():
        raise TrainingError(
            f"{name} is neither a file nor a recipe; the recipes are {', '.join(recipe_names())}"
        )
    return parse_mapping(path.read_bytes(), name), path.parent


def parse_mapping(content: bytes, name: str) -> dict[str, Any]:
    """Parse YAML that must be a mapping.

    Args:
        content: content of a file.
        name: name of the file, for messages.

    Raises:
        TrainingError: if the content is not a YAML mapping.
    """
    try:
        raw = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise TrainingError(f"{name} is not valid YAML: {describe_error(error)}") from error
    if not isinstance(raw, dict):
        raise TrainingError(f"{name} must be a mapping of settings, e.g. 'seed: 0'")
    return raw
