"""Reads a bundle and refuses one that is not exactly what was written."""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.numpy import load as load_tensors

from bundle import files
from bundle.checks import check_arrays, check_graph, check_sites
from bundle.errors import BundleError
from bundle.fold import Array
from bundle.manifest import SCHEMA_VERSION, Manifest
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, in memory.

    Attributes:
        manifest: what is in it.
        fingerprint: SHA-256 of the manifest, which in turn holds the hash of every file.
        predict, observe, compensate: the graphs; the first two without their arrays.
        predict_arrays: initializers of ``predict``, folded with the base target moments.
        base_arrays: the unfolded arrays: initializers of ``observe``, and what folding starts from.
        observe_names: which of these ``observe`` takes.
        source, target: raw moments; the target's are the base of every version.
        canary: unlabeled target images ``(N, H, W, C)`` uint8, if they were put in.
    """

    manifest: Manifest
    fingerprint: str
    predict: bytes
    observe: bytes
    compensate: bytes
    predict_arrays: dict[str, Array]
    base_arrays: dict[str, Array]
    observe_names: frozenset[str]
    source: FlatMoments
    target: FlatMoments
    canary: Pixels | None

    @property
    def observe_arrays(self) -> dict[str, Array]:
        """The initializers of ``observe``."""
        return {name: self.base_arrays[name] for name in self.observe_names}


def load_bundle(path: Path) -> Bundle:
    """Read a bundle, checking schema version, every hash and that its parts fit each other.

    All checks are made on the bytes that are then used.

    Raises:
        BundleError: naming the file and what is wrong with it.
    """
    if not path.is_dir():
        raise BundleError(f"{path} is not a bundle: there is no such directory")
    manifest, fingerprint = _load_manifest(path)
    contents = {name: _load_file(path, name, manifest) for name in manifest.files}
    graphs = (files.PREDICT, files.OBSERVE, files.COMPENSATE)
    wanted = {name: check_graph(name, contents[name], manifest) for name in graphs}
    predict = _tensors(files.PREDICT_WEIGHTS, contents)
    base: dict[str, NDArray[Any]] = _tensors(files.BASE, contents)
    source = _moments(base, files.SOURCE_MEAN, files.SOURCE_VARIANCE, manifest)
    target = _moments(base, files.TARGET_MEAN, files.TARGET_VARIANCE, manifest)
    check_arrays(files.PREDICT_WEIGHTS, predict, wanted[files.PREDICT])
    check_arrays(files.BASE, base, wanted[files.OBSERVE])
    check_sites(manifest, predict, base, wanted[files.PREDICT])
    return Bundle(
        manifest=manifest,
        fingerprint=fingerprint,
        predict=contents[files.PREDICT],
        observe=contents[files.OBSERVE],
        compensate=contents[files.COMPENSATE],
        predict_arrays=predict,
        base_arrays=base,
        observe_names=frozenset(wanted[files.OBSERVE]),
        source=source,
        target=target,
        canary=_canary(contents, manifest),
    )


def _load_manifest(path: Path) -> tuple[Manifest, str]:
    text, checksum = _read(path / files.MANIFEST), _read(path / files.MANIFEST_SUM)
    fingerprint = hashlib.sha256(text).hexdigest()
    if checksum != f"{fingerprint}  {files.MANIFEST}\n".encode():
        raise BundleError(
            f"{files.MANIFEST} does not match {files.MANIFEST_SUM}: one of them was changed"
        )
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{files.MANIFEST} is not JSON: {error}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{files.MANIFEST} has schema version {version!r}; this program reads {SCHEMA_VERSION}"
        )
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the manifest"
        raise BundleError(f"{files.MANIFEST}: {place}: {first['msg']}") from error
    known = {*files.REQUIRED, *files.OPTIONAL}
    for name in files.REQUIRED:
        if name not in manifest.files:
            raise BundleError(f"{files.MANIFEST} does not list {name}")
    for name in manifest.files:
        if name not in known:
            raise BundleError(f"{files.MANIFEST} lists {name!r}, which no bundle holds")
    return manifest, fingerprint


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {path.name}: {error.strerror}") from error


def _load_file(path: Path, name: str, manifest: Manifest) -> bytes:
    content, entry = _read(path / name), manifest.files[name]
    if len(content) != entry.size:
        raise BundleError(f"{name} has {len(content)} bytes, the manifest says {entry.size}")
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise BundleError(f"{name} was changed: its SHA-256 is not the manifest's")
    return content


def _tensors(name: str, contents: dict[str, bytes]) -> dict[str, NDArray[Any]]:
    try:
        return load_tensors(contents[name])
    except Exception as error:  # also a bare KeyError, for types that numpy does not have
        raise BundleError(f"{name} is not a safetensors file that can be read: {error}") from error


def _moments(
    base: dict[str, NDArray[Any]], mean: str, variance: str, manifest: Manifest
) -> FlatMoments:
    try:
        moments = FlatMoments(base.pop(mean), base.pop(variance))
    except KeyError as error:
        raise BundleError(f"{files.BASE} does not hold {error}") from error
    for key, value in zip((mean, variance), moments, strict=True):
        if value.shape != (manifest.channels,) or value.dtype != np.float64:
            raise BundleError(
                f"{files.BASE}: {key} must be {manifest.channels} float64 values,"
                f" not {value.dtype} {value.shape}"
            )
    problem = moments.problem()
    if problem:
        raise BundleError(f"{files.BASE}: {problem}")
    return moments


def _canary(contents: dict[str, bytes], manifest: Manifest) -> Pixels | None:
    if files.CANARY not in contents:
        return None
    try:
        images = np.load(io.BytesIO(contents[files.CANARY]), allow_pickle=False)["images"]
        dtype, found = images.dtype, images.shape
    except Exception as error:  # numpy passes on what zip, zlib and its own header parser raise
        raise BundleError(f"{files.CANARY} does not hold an array 'images': {error}") from error
    shape = manifest.preprocessing.shape
    if dtype != np.uint8 or found[1:] != shape or images.size == 0:
        raise BundleError(
            f"{files.CANARY}: images must be uint8 {('N', *shape)} with N at least 1,"
            f" not {dtype} {found}"
        )
    return cast(Pixels, images)
