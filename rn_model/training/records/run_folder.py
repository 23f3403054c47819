"""The directory of a run: whose it is, and the configuration in it."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from bundle.writing.atomic import write_file
from rn_model.backbones.config import with_current_name
from rn_model.training.config import RunConfig
from rn_model.training.context import SOURCE_WEIGHTS
from rn_model.training.errors import TrainingError, writing
from rn_model.training.records.checkpoint import FILE as CHECKPOINT
from rn_model.training.result import FILE as RESULT

CONFIG = "config.yaml"
# What may be changed to get over what stopped a run; all else makes it another run.
AMENDABLE = frozenset(
    (
        "device",
        "keep_images",
        "training.checkpoint_every",
        "training.clip",
        "training.evaluation_images",
        "training.learning_rate",
        "training.patience",
        "training.population_images",
        "training.precision",
        "training.workers",
    )
)


def claim(
    out: Path, config: RunConfig, *, resume: bool, amended: Collection[str] = ()
) -> tuple[str, ...]:
    """Make the directory of a new run, or check that an old one is the same run.

    Args:
        amended: names of settings that a resumed run may have other values of, if they are
            :data:`AMENDABLE`. A run that has trained nothing yet may have any others.

    Returns:
        What is different from now on, a line for each setting; the directory's configuration is then
        the new one.

    Raises:
        TrainingError: if the directory is taken, or belongs to a run with another configuration.
    """
    path = out / CONFIG
    new = config.model_dump(mode="json")
    if path.is_file():
        if not resume:
            raise TrainingError(f"{out} holds a run: resume it, or give another directory")
        try:
            old = with_current_name(yaml.safe_load(path.read_text()))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise TrainingError(f"{path} is damaged: it is not YAML any more") from error
        differences = dict(_differences(old, new))
        _check_may_change(out, differences, AMENDABLE.intersection(amended))
        if differences:
            with writing(path):
                write_file(path, _content(new))
        return tuple(differences.values())
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TrainingError(f"{out} exists and is not the directory of a run: give another one")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_file(path, _content(new))
    except OSError as error:
        raise TrainingError(f"cannot write to {out}: {error.strerror or error}") from error
    return ()


def _check_may_change(out: Path, differences: Mapping[str, str], amended: Collection[str]) -> None:
    finished = (out / RESULT).is_file()
    if not (finished or (out / CHECKPOINT).is_file() or (out / SOURCE_WEIGHTS).is_file()):
        return
    refused = [name for name in differences if finished or name not in amended]
    if not refused:
        return
    lines = "; ".join(differences[name] for name in refused[:4])
    hint = ""
    if not finished and AMENDABLE.issuperset(refused):
        hint = f"; to go on with that, say so: --set {refused[0]}=VALUE"
    raise TrainingError(f"cannot resume {out} with another configuration: {lines}{hint}")


def _content(config: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()


def _differences(old: Any, new: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield name, f"{name} was {json.dumps(old)} and is {json.dumps(new)}"
