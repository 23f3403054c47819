"""Reads the files in the directory of a run, as far as they exist."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import yaml
from numpy.typing import NDArray

from bundle.text import describe_error

T = TypeVar("T")
Entry = Mapping[str, Any]
Arrays = Mapping[str, NDArray[Any]]

_CONTENTS = {
    "config.yaml": "configuration",
    "history.jsonl": "training history",
    "evaluation.npz": "predictions and features",
    "layers.json": "diagnostics of the normalization layers",
    "result.json": "result",
    "run.json": "record of the network",
}


class Note(NamedTuple):
    """A note on the page about a file that could not be used."""

    file: str
    text: str


@dataclass(frozen=True)
class RunFiles:
    """Contents of the directory of a run; missing or damaged parts are empty and have a note.

    Attributes:
        path: the directory.
        config: configuration of the run.
        training: training steps of the history, in order of stage and step.
        evaluations: evaluations of the history, in the same order.
        arrays: features and predictions, by name.
        layers: diagnostics of each normalization layer, from the input to the output.
        result: result of a finished run.
        record: record of the network.
        notes: notes about missing and damaged files.
    """

    path: Path
    config: Entry = field(default_factory=dict)
    training: tuple[Entry, ...] = ()
    evaluations: tuple[Entry, ...] = ()
    arrays: Arrays = field(default_factory=dict)
    layers: tuple[Entry, ...] = ()
    result: Entry = field(default_factory=dict)
    record: Entry = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def read_run(path: Path) -> RunFiles:
    """Read the directory of a run.

    Raises:
        ValueError: if ``path`` contains none of the files of a run.
    """
    if not path.is_dir():
        raise ValueError(f"{path} is not a directory: pass the directory of a training run")
    if not any((path / name).is_file() for name in _CONTENTS):
        raise ValueError(f"{path} contains none of the files of a run ({', '.join(_CONTENTS)})")
    parts = _Parts(path)
    nothing: Entry = {}
    none: tuple[Entry, ...] = ()
    history = parts.read("history.jsonl", _lines, none)
    return RunFiles(
        path=path,
        config=parts.read("config.yaml", _mapping_of_yaml, nothing),
        training=tuple(entry for entry in history if entry["kind"] == "train"),
        evaluations=tuple(entry for entry in history if entry["kind"] == "evaluation"),
        arrays=parts.read("evaluation.npz", _arrays, {}),
        layers=parts.read("layers.json", _list, none),
        result=parts.read("result.json", _mapping, nothing),
        record=parts.read("run.json", _mapping, nothing),
        notes=tuple(parts.notes),
    )


class _Parts:
    """Reads files one by one, and collects notes about those that cannot be read."""

    def __init__(self, path: Path) -> None:
        self.notes: list[Note] = []
        self._path = path

    def read(self, name: str, parse: Callable[[bytes], T], empty: T) -> T:
        try:
            return parse((self._path / name).read_bytes())
        except FileNotFoundError:
            self.notes.append(Note(name, f"is missing ({_CONTENTS[name]})"))
        except Exception as error:  # damaged files can raise any error in a parser
            why = describe_error(error, kind=True, limit=200)
            self.notes.append(Note(name, f"cannot be read ({why}): {_CONTENTS[name]}"))
        return empty


def _mapping_of_yaml(content: bytes) -> Entry:
    return _checked(yaml.safe_load(content))


def _mapping(content: bytes) -> Entry:
    return _checked(json.loads(content))


def _list(content: bytes) -> tuple[Entry, ...]:
    value = json.loads(content)
    if not isinstance(value, list):
        raise ValueError(f"expected a list, not {type(value).__name__}")
    return tuple(_checked(entry) for entry in value)


def _lines(content: bytes) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for line in content.decode().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # the run was killed in the middle of a line
            continue
        if not isinstance(entry, dict) or not {"kind", "stage"} <= entry.keys():
            continue
        if isinstance(entry.get("step"), int):
            entries.append(entry)
    # A resumed run may have repeated steps after its last checkpoint.
    return tuple(sorted(entries, key=lambda entry: (entry["stage"] != "source", entry["step"])))


def _arrays(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _checked(value: object) -> Entry:
    if not isinstance(value, dict):
        raise ValueError(f"expected a mapping, not {type(value).__name__}")
    return value
