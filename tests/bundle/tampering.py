"""Changes bundles, with or without recomputing the hashes."""

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray
from safetensors.numpy import load, save

from bundle import BundleError, files, load_bundle
from bundle.manifest import FileEntry
from bundle.moments import FlatMoments
from bundle.runtime import MANY_IMAGES, Refolder


def copy_of(bundle: Path, where: Path) -> Path:
    """A copy of a bundle that may be changed."""
    return Path(shutil.copytree(bundle, where / "copy"))


def rehash(path: Path) -> None:
    """Write the present sizes and hashes of all files into the manifest."""
    manifest = json.loads((path / files.MANIFEST).read_text())
    for name in manifest["files"]:
        content = (path / name).read_bytes()
        entry = FileEntry(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        manifest["files"][name] = entry.model_dump()
    write_manifest(path, manifest)


def write_manifest(path: Path, content: Any) -> None:
    """Write a manifest, as JSON value or text, and its checksum."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (path / files.MANIFEST).write_bytes(text)
    checksum = f"{hashlib.sha256(text).hexdigest()}  {files.MANIFEST}\n"
    (path / files.MANIFEST_SUM).write_text(checksum)


def replace_file(path: Path, name: str, content: bytes) -> None:
    """Replace the content of a file, and recompute the hashes."""
    (path / name).write_bytes(content)
    rehash(path)


def replace_arrays(path: Path, name: str, **changes: NDArray[Any] | None) -> None:
    """Replace arrays of a safetensors file, or remove them with None, and recompute the hashes."""
    arrays = load((path / name).read_bytes())
    arrays.update({key: value for key, value in changes.items() if value is not None})
    for key, value in changes.items():
        if value is None:
            del arrays[key]
    replace_file(path, name, save(arrays))


def npz(**arrays: NDArray[Any]) -> bytes:
    """Content of an ``.npz`` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


def refold(path: Path, target: FlatMoments) -> None:
    """Replace the target moments of a bundle, and the arrays that follow from them."""
    arrays = Refolder(load_bundle(path)).arrays(target, MANY_IMAGES)
    moments = {files.TARGET_MEAN: target.mean, files.TARGET_VARIANCE: target.variance}
    replace_arrays(path, files.BASE, **moments)
    replace_arrays(path, files.PREDICT_WEIGHTS, **arrays)


def refusal(path: Path, public_key: Ed25519PublicKey | None = None) -> str:
    """The one-line error of an invalid bundle; any other exception fails the test."""
    with pytest.raises(BundleError) as caught:
        load_bundle(path, public_key)
    message = str(caught.value)
    assert message and "\n" not in message
    return message


def edited(path: Path, **changes: Any) -> str:
    """The error of a bundle after these fields of its manifest were changed."""
    manifest = json.loads((path / files.MANIFEST).read_text())
    manifest.update(changes)
    write_manifest(path, manifest)
    return refusal(path)
