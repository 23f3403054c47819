"""A trained model in a directory: its weights and statistics, and a record of how it came to be."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from bundle.preprocessing import Pixels, Preprocessing
from bundle.text import describe_error
from bundle.writing.atomic import write_directory, write_file
from rn_model.layers import Normalization, convert_normalization
from rn_model.runs.rows import Row

WEIGHTS = "model.safetensors"
RECORD = "run.json"
TARGET = "target.npz"


class RunRecord(BaseModel):
    """All that is known of a trained model beside its numbers.

    Attributes:
        schema_version: of this record.
        factory: what makes the network before conversion, as ``"package.module:name"``.
        factory_arguments: keyword arguments of the factory.
        normalization: what its BatchNorm layers are then converted to.
        classes: names of the outputs, in order.
        preprocessing: from an image file to the pixels that the network was trained on.
        model: name of the row of ``results`` that this model is.
        results: everything measured in the same run.
        config: of the training.
        seed: of everything random.
        fingerprints: SHA-256 of the source's and the target's pixels.
        weights_sha256: of the file of weights; filled when saved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    factory: str = Field(pattern=r"^[\w.]+:\w+$")
    factory_arguments: dict[str, JsonValue]
    normalization: Normalization = Normalization()
    classes: list[str] = Field(min_length=2)
    preprocessing: Preprocessing
    model: str
    results: list[Row]
    config: dict[str, JsonValue]
    seed: int
    fingerprints: dict[str, str]
    weights_sha256: str = ""

    @model_validator(mode="after")
    def _check(self) -> "RunRecord":
        if self.model not in {row.name for row in self.results}:
            raise ValueError(f"there is no result of the model {self.model!r}")
        return self

    @property
    def metrics(self) -> Row:
        """What was measured of this model."""
        return next(row for row in self.results if row.name == self.model)


@dataclass(frozen=True)
class Run:
    """A loaded model, in evaluation mode with its target branch, and its record.

    Attributes:
        target: the unlabeled target images ``(N, H, W, C)`` that it was adapted to, which an export
            checks itself on; None if it has seen none, or they were not kept.
    """

    model: nn.Module
    record: RunRecord
    target: Pixels | None = None

    @property
    def classes(self) -> list[str]:
        """Names of the outputs, in order."""
        return self.record.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """From an image file to pixels."""
        return self.record.preprocessing

    @property
    def config(self) -> dict[str, Any]:
        """Of the training."""
        return dict(self.record.config)

    @property
    def metrics(self) -> Row:
        """What was measured of this model."""
        return self.record.metrics


def fingerprint(pixels: Pixels) -> str:
    """SHA-256 of the shape and the bytes of an array of pixels."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def check_destination(path: Path) -> None:
    """Make sure that a run may be saved here.

    Raises:
        ValueError: if ``path`` exists and is neither the directory of a run nor an empty one.
    """
    if path.exists() and not (path / RECORD).is_file() and not _is_empty_directory(path):
        raise ValueError(f"{path} exists and is not the directory of a run: give another one")


def save_run(path: Path, run: Run, parts: Mapping[str, Run] | None = None) -> None:
    """Write a run's directory, whole or not at all; an earlier run in its place is replaced.

    Args:
        path: the directory.
        run: the model that was chosen.
        parts: other models of the same run, each in a directory of its own inside.

    Raises:
        ValueError: as :func:`check_destination`.
    """
    check_destination(path)
    contents = _contents(run)
    for name, part in (parts or {}).items():
        contents |= {f"{name}/{file}": content for file, content in _contents(part).items()}
    write_directory(path, contents)


def write_run(path: Path, run: Run) -> None:
    """Write a run's files into a directory that has others; each file whole or not at all.

    The record comes last. It holds the hash of the weights: files of two runs do not pass for one.
    """
    contents = _contents(run)
    for name in sorted(contents, key=lambda name: name == RECORD):
        write_file(path / name, contents[name])


def load_run(path: Path) -> Run:
    """Read a run's directory.

    The record names the function that makes the network, and that module is imported: load only
    directories whose origin you trust.

    Raises:
        ValueError: if something is missing, damaged, or does not belong together, in one line.
    """
    record = _read_record(path / RECORD)
    weights = path / WEIGHTS
    if not weights.is_file():
        raise ValueError(f"{weights} is missing")
    if hashlib.sha256(weights.read_bytes()).hexdigest() != record.weights_sha256:
        raise ValueError(f"{weights} is damaged: its SHA-256 is not the one in {RECORD}")
    model = _make(record)
    try:
        model.load_state_dict(load_file(weights))
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"{weights} does not fit {record.factory}: {describe_error(error)}"
        ) from error
    return Run(model.eval(), record, _read_target(path / TARGET, record))


def _read_target(path: Path, record: RunRecord) -> Pixels | None:
    if not path.is_file():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            images: Pixels = arrays["images"]
    except Exception as error:  # numpy passes on what zip, zlib and its own header parser raise
        raise ValueError(f"{path} is damaged: {describe_error(error)}") from error
    if fingerprint(images) != record.fingerprints.get("target"):
        raise ValueError(f"{path} is damaged: its fingerprint is not the one in {RECORD}")
    return images


def _read_record(path: Path) -> RunRecord:
    if not path.is_file():
        raise ValueError(f"{path} is missing: this is not the directory of a run")
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(f"{path} is damaged: {where}: {first['msg']}") from error


def _make(record: RunRecord) -> nn.Module:
    module, _, name = record.factory.partition(":")
    try:
        factory = getattr(import_module(module), name)
        with torch.random.fork_rng(devices=[]):
            model = factory(**record.factory_arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"cannot make the network {record.factory}: {describe_error(error)}"
        ) from error
    if not isinstance(model, nn.Module):
        raise ValueError(f"{record.factory} made a {type(model).__name__}, not a network")
    return convert_normalization(model, record.normalization)


def _contents(run: Run) -> dict[str, bytes]:
    """The files of a run's directory."""
    state = run.model.state_dict()
    weights = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
    digest = hashlib.sha256(weights).hexdigest()
    record = run.record.model_copy(update={"weights_sha256": digest})
    contents = {WEIGHTS: weights, RECORD: f"{record.model_dump_json(indent=2)}\n".encode()}
    if run.target is not None:
        images = io.BytesIO()
        np.savez_compressed(images, images=run.target)
        contents[TARGET] = images.getvalue()
    return contents


def _is_empty_directory(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
