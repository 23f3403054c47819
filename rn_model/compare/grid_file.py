"""Reads a grid: a built-in one, or a YAML file."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rn_model.compare.config import GridConfig
from rn_model.training.config_file import parse_mapping
from rn_model.training.errors import TrainingError
from rn_model.training.validation_errors import describe_invalid


def grid_names() -> list[str]:
    """Names of the built-in grids."""
    folder = files("rn_model.recipes") / "grids"
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def load_grid(name: str) -> tuple[GridConfig, Path]:
    """Read a grid.

    Args:
        name: name of a built-in grid, or path of a YAML file.

    Returns:
        The grid, and the folder that its relative paths start from.

    Raises:
        TrainingError: if there is no such grid, or it is invalid.
    """
    path = Path(name).expanduser()
    if path.suffix == "" and name in grid_names():
        content = (files("rn_model.recipes") / "grids" / f"{name}.yaml").read_bytes()
        return grid_config(parse_mapping(content, name), name), Path()
    if not path.is_file():
        raise TrainingError(
            f"{name} is neither a file nor a grid; the grids are {', '.join(grid_names())}"
        )
    return grid_config(parse_mapping(path.read_bytes(), name), name), path.parent


def grid_config(raw: dict[str, Any], name: str) -> GridConfig:
    """Check a grid and make it typed.

    Args:
        raw: grid as nested mappings and lists.
        name: name of the grid, for messages.

    Raises:
        TrainingError: if the grid is invalid; the message names the settings.
    """
    try:
        return GridConfig.model_validate(raw)
    except ValidationError as error:
        raise TrainingError(f"{name}: {describe_invalid(error, GridConfig)}") from error
