"""Reads a grid: one that comes with the program, or a YAML file."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bundle.text import describe_error
from rn_model.compare.config import GridConfig
from rn_model.training.errors import TrainingError


def grid_names() -> list[str]:
    """The grids that come with the program."""
    folder = files("rn_model.recipes") / "grids"
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def load_grid(name: str) -> tuple[GridConfig, Path]:
    """The grid of a name, and the folder that its relative paths begin at.

    Args:
        name: of a grid that comes with the program, or path of a YAML file.

    Raises:
        TrainingError: in one line, if there is none or something in it is wrong.
    """
    path = Path(name).expanduser()
    if path.suffix == "" and name in grid_names():
        text = (files("rn_model.recipes") / "grids" / f"{name}.yaml").read_text("utf-8")
        return _parse(text, name), Path()
    if not path.is_file():
        raise TrainingError(
            f"there is no file {name} and no grid of that name; grids are {', '.join(grid_names())}"
        )
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise TrainingError(f"{name} is not YAML: {error}") from error
    return _parse(text, name), path.parent


def _parse(text: str, name: str) -> GridConfig:
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TrainingError(f"{name} is not YAML: {describe_error(error)}") from error
    if not isinstance(raw, dict):
        raise TrainingError(f"{name} must be a mapping with tasks, normalizations and objectives")
    return grid_config(raw, name)


def grid_config(raw: dict[str, Any], name: str) -> GridConfig:
    """A typed grid.

    Args:
        raw: as it is written.
        name: for error lines.

    Raises:
        TrainingError: if something in it is wrong, in one line that says where.
    """
    try:
        return GridConfig.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            text = "there is no such setting of a grid"
        elif first["type"] == "string_pattern_mismatch":
            text = f"{first['input']!r} becomes a folder: use letters, digits and . _ + - only"
        raise TrainingError(f"{name}: {where + ': ' if where else ''}{text}") from error
