"""The directory of a run: whose it is, and the configuration in it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from bundle.directory import write_file
from rn_model.engine.config import RunConfig
from rn_model.engine.errors import TrainingError

CONFIG = "config.yaml"


def claim(out: Path, config: RunConfig, *, resume: bool) -> None:
    """Make the directory of a new run, or check that an old one is the same run.

    Raises:
        TrainingError: if the directory is taken, or belongs to a run with another configuration.
    """
    path = out / CONFIG
    new = config.model_dump(mode="json")
    if path.is_file():
        if not resume:
            raise TrainingError(f"{out} holds a run: resume it, or give another directory")
        try:
            old = yaml.safe_load(path.read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise TrainingError(f"{path} is damaged: it is not YAML any more") from error
        differences = list(_differences(old, new))
        if differences:
            raise TrainingError(
                f"cannot resume {out} with another configuration: {'; '.join(differences[:4])}"
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TrainingError(f"{out} exists and is not the directory of a run: give another one")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_file(path, yaml.safe_dump(new, sort_keys=False, allow_unicode=True).encode())
    except OSError as error:
        raise TrainingError(f"cannot write to {out}: {error.strerror or error}") from error


def _differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name} was {json.dumps(old)} and is {json.dumps(new)}"
