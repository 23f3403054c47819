"""Saves a trained model to a directory, with a record of how it was made, and loads it again."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from bundle.preprocessing import Pixels, Preprocessing
from bundle.text import describe_error
from bundle.writing.atomic import write_directory, write_file
from rn_model.layers import Normalization, convert_normalization
from rn_model.runs.class_shares import ClassShares
from rn_model.runs.factories import current_factory_name, find_factory
from rn_model.runs.rows import Row
from rn_model.runs.tensors import encode_tensors

WEIGHTS = "model.safetensors"
RECORD = "run.json"
TARGET = "target.npz"


class RunRecord(BaseModel):
    """Everything that is recorded about a trained model besides its weights.

    Attributes:
        schema_version: version of the record's format.
        factory: name of the function that makes the network before conversion: ``"backbone"``, a
            built-in network such as ``"digits:lenet"``, or ``"package.module:function"``.
        factory_arguments: keyword arguments of the factory.
        normalization: normalization that replaces the network's BatchNorm layers.
        classes: class names, in the order of the outputs.
        preprocessing: conversion of an image file to the pixels that the network was trained on.
        model: name of this model's row in ``results``.
        results: measurements of all models of the same run.
        config: configuration of the training.
        seed: random seed.
        fingerprints: SHA-256 of the pixels of each data set.
        class_shares: class shares of both domains, those of the target estimated without labels; None
            if they were not estimated.
        weights_sha256: SHA-256 of the file of weights; set when the run is saved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    factory: str = Field(pattern=r"^([\w.]+:)?\w+$")
    factory_arguments: dict[str, JsonValue]
    normalization: Normalization = Normalization()
    classes: list[str] = Field(min_length=2)
    preprocessing: Preprocessing
    model: str
    results: list[Row]
    config: dict[str, JsonValue]
    seed: int
    fingerprints: dict[str, str]
    class_shares: ClassShares | None = None
    weights_sha256: str = ""

    @field_validator("factory")
    @classmethod
    def _rename(cls, factory: str) -> str:
        return current_factory_name(factory)

    @model_validator(mode="after")
    def _check(self) -> "RunRecord":
        if self.model not in {row.name for row in self.results}:
            raise ValueError(f"results has no row for the model {self.model!r}")
        return self

    @property
    def metrics(self) -> Row:
        """Measurements of this model."""
        return next(row for row in self.results if row.name == self.model)


@dataclass(frozen=True)
class Run:
    """A trained model and its record.

    Attributes:
        model: network in evaluation mode, with the target branch selected.
        record: record of the run.
        target: unlabelled target images that the model was adapted to, uint8 ``(N, H, W, C)``, on which
            an export verifies itself; None if there were none or they were not kept.
    """

    model: nn.Module
    record: RunRecord
    target: Pixels | None = None

    @property
    def classes(self) -> list[str]:
        """Class names, in the order of the outputs."""
        return self.record.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """Conversion of an image file to pixels."""
        return self.record.preprocessing

    @property
    def config(self) -> dict[str, Any]:
        """Configuration of the training."""
        return dict(self.record.config)

    @property
    def metrics(self) -> Row:
        """Measurements of this model."""
        return self.record.metrics


def fingerprint(pixels: Pixels) -> str:
    """SHA-256 of the shape and the bytes of an array of pixels, in hexadecimal."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def check_destination(path: Path) -> None:
    """Check that a run can be saved to a path.

    Raises:
        ValueError: if ``path`` exists and is neither the directory of a run nor an empty one.
    """
    if path.exists() and not (path / RECORD).is_file() and not _is_empty_directory(path):
        raise ValueError(f"{path} exists and is not the directory of a run; choose another")


def save_run(path: Path, run: Run, parts: Mapping[str, Run] | None = None) -> None:
    """Write a run's directory, completely or not at all, replacing an earlier run.

    Args:
        path: directory to write.
        run: selected model.
        parts: other models of the same run by name, each of which gets a subdirectory.

    Raises:
        ValueError: see :func:`check_destination`.
    """
    check_destination(path)
    contents = _contents(run)
    for name, part in (parts or {}).items():
        contents |= {f"{name}/{file}": content for file, content in _contents(part).items()}
    write_directory(path, contents)


def write_run(path: Path, run: Run) -> None:
    """Write a run's files into an existing directory, each file completely or not at all.

    The record is written last. It holds the hash of the weights, so that files of two different runs
    are never mistaken for one.
    """
    contents = _contents(run)
    for name in sorted(contents, key=lambda name: name == RECORD):
        write_file(path / name, contents[name])


def load_run(path: Path) -> Run:
    """Load a run from its directory.

    A record may name a module whose function makes the network, and that module is imported: only load
    directories whose origin you trust.

    Raises:
        ValueError: if a file is missing or damaged, or the files do not belong together. The message is
            one line.
    """
    record = _read_record(path / RECORD)
    weights = path / WEIGHTS
    if not weights.is_file():
        raise ValueError(f"{weights} is missing")
    if hashlib.sha256(weights.read_bytes()).hexdigest() != record.weights_sha256:
        raise ValueError(f"{weights} is damaged: its SHA-256 differs from the one in {RECORD}")
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
    except Exception as error:  # numpy lets errors of zip, zlib and its header parser pass
        raise ValueError(f"{path} is damaged: {describe_error(error)}") from error
    if fingerprint(images) != record.fingerprints.get("target"):
        raise ValueError(f"{path} is damaged: its fingerprint differs from the one in {RECORD}")
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
    try:
        factory = find_factory(record.factory)
        with torch.random.fork_rng(devices=[]):
            model = factory(**record.factory_arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"cannot make the network {record.factory}: {describe_error(error)}"
        ) from error
    if not isinstance(model, nn.Module):
        raise ValueError(f"{record.factory} returned a {type(model).__name__}, not a network")
    return convert_normalization(model, record.normalization)


def _contents(run: Run) -> dict[str, bytes]:
    """Contents of the files of a run's directory, by name."""
    weights = encode_tensors(run.model.state_dict())
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
