"""Reads the files of a run's directory, as far as they are there."""

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

_WHAT = {
    "config.yaml": "the configuration",
    "history.jsonl": "the course of training",
    "evaluation.npz": "predictions and features",
    "layers.json": "the diagnostics of the normalization layers",
    "result.json": "the result",
    "run.json": "the record of the network",
}


class Note(NamedTuple):
    """What the page says of a file that it could not use."""

    file: str
    text: str


@dataclass(frozen=True)
class RunFiles:
    """What a run's directory holds; a part that is missing or damaged is empty, with a note.

    Attributes:
        path: the directory.
        config: of the run.
        training: entries of the history that are training steps, in order of stage and step.
        evaluations: entries that are evaluations, in the same order.
        arrays: features and predictions.
        layers: diagnostics, one a normalization layer, from the input to the output.
        result: of a finished run.
        record: of the network.
        notes: what is not there.
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
    """Read a run's directory.

    Raises:
        ValueError: if there is nothing of a run in ``path``.
    """
    if not path.is_dir():
        raise ValueError(f"{path} is not a directory: give the one that a training run wrote")
    if not any((path / name).is_file() for name in _WHAT):
        raise ValueError(f"{path} has none of the files of a run ({', '.join(_WHAT)})")
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
    """Reads files one by one and notes those that it could not read."""

    def __init__(self, path: Path) -> None:
        self.notes: list[Note] = []
        self._path = path

    def read(self, name: str, parse: Callable[[bytes], T], empty: T) -> T:
        try:
            return parse((self._path / name).read_bytes())
        except FileNotFoundError:
            self.notes.append(Note(name, f"not there: {_WHAT[name]}"))
        except Exception as error:  # parsers of damaged files raise whatever they like
            why = describe_error(error, kind=True, limit=200)
            self.notes.append(Note(name, f"cannot be read ({why}): {_WHAT[name]}"))
        return empty


def _mapping_of_yaml(content: bytes) -> Entry:
    return _checked(yaml.safe_load(content))


def _mapping(content: bytes) -> Entry:
    return _checked(json.loads(content))


def _list(content: bytes) -> tuple[Entry, ...]:
    value = json.loads(content)
    if not isinstance(value, list):
        raise ValueError(f"a list is needed, not {type(value).__name__}")
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
    # A resumed run goes on where its last checkpoint was.
    return tuple(sorted(entries, key=lambda entry: (entry["stage"] != "source", entry["step"])))


def _arrays(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _checked(value: object) -> Entry:
    if not isinstance(value, dict):
        raise ValueError(f"a mapping is needed, not {type(value).__name__}")
    return value
