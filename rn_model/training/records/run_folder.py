"""The directory of a run: creation, ownership, and settings that may change on resuming."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from bundle.writing.atomic import write_file
from rn_model.backbones.config import with_current_name
from rn_model.training.config import RunConfig
from rn_model.training.errors import TrainingError, writing
from rn_model.training.records.checkpoint import FILE as CHECKPOINT
from rn_model.training.records.source_weights import SOURCE_WEIGHTS
from rn_model.training.result import FILE as RESULT

CONFIG = "config.yaml"
# Settings that may change on resuming, to overcome what stopped the run; others make another run.
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
_UNREADABLE = re.compile(r"task\.(source(\.\d+)?|target|test|validation)\.unreadable")


def may_change(name: str) -> bool:
    """Whether a setting may change on resuming, if that is asked for."""
    return name in AMENDABLE or _UNREADABLE.fullmatch(name) is not None


def claim(
    out: Path, config: RunConfig, *, resume: bool, amended: Collection[str] = ()
) -> tuple[str, ...]:
    """Create the directory of a new run, or check that an existing one belongs to the same run.

    Args:
        out: the directory.
        config: configuration of the run.
        resume: whether the directory of a run may be used again.
        amended: names of settings whose values may differ on resuming, as far as :func:`may_change`
            allows it. If nothing has been trained yet, every setting may differ.

    Returns:
        One line per setting that has changed; the new configuration has then been written.

    Raises:
        TrainingError: if the directory is in use, or belongs to a run with another configuration.
    """
    path = out / CONFIG
    new = config.model_dump(mode="json")
    if path.is_file():
        if not resume:
            raise TrainingError(
                f"{out} already contains a run: resume it, or use another directory"
            )
        try:
            old = with_current_name(yaml.safe_load(path.read_text()))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise TrainingError(f"{path} is damaged: it is not valid YAML") from error
        differences = dict(_differences(old, new))
        _check_may_change(out, differences, set(filter(may_change, amended)))
        if differences:
            with writing(path):
                write_file(path, _content(new))
        return tuple(differences.values())
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TrainingError(f"{out} exists but is not the directory of a run: use another one")
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
    # A single source can be set without its index.
    known = {*amended, *(name.replace("source.", "source.0.", 1) for name in amended)}
    rejected = [name for name in differences if finished or name not in known]
    if not rejected:
        return
    lines = "; ".join(differences[name] for name in rejected[:4])
    hint = ""
    if not finished and all(map(may_change, rejected)):
        hint = f"; to resume with a new value, pass --set {rejected[0]}=VALUE"
    raise TrainingError(f"cannot resume {out} with another configuration: {lines}{hint}")


def _content(config: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()


def _differences(old: Any, new: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif name == "task.source" and isinstance(old, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from _differences(*pair, f"{name}.{number}")
    elif old != new:
        yield name, f"{name} was {json.dumps(old)}, now {json.dumps(new)}"
