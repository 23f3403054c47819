"""Changes bundles, with or without making the hashes match again."""

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
from bundle.runtime import Refolder


def copy_of(bundle: Path, where: Path) -> Path:
    """A bundle of the same content that may be changed."""
    return Path(shutil.copytree(bundle, where / "copy"))


def rehash(path: Path) -> None:
    """Make the manifest describe the files as they are."""
    manifest = json.loads((path / files.MANIFEST).read_text())
    for name in manifest["files"]:
        content = (path / name).read_bytes()
        entry = FileEntry(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        manifest["files"][name] = entry.model_dump()
    write_manifest(path, manifest)


def write_manifest(path: Path, content: Any) -> None:
    """Write a manifest, JSON or text, and its checksum."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (path / files.MANIFEST).write_bytes(text)
    checksum = f"{hashlib.sha256(text).hexdigest()}  {files.MANIFEST}\n"
    (path / files.MANIFEST_SUM).write_text(checksum)


def replace_file(path: Path, name: str, content: bytes) -> None:
    """Give a file other content that the hashes confirm."""
    (path / name).write_bytes(content)
    rehash(path)


def replace_arrays(path: Path, name: str, **changes: NDArray[Any] | None) -> None:
    """Change arrays of a safetensors file, or remove them with None, and make the hashes match."""
    arrays = load((path / name).read_bytes())
    arrays.update({key: value for key, value in changes.items() if value is not None})
    for key, value in changes.items():
        if value is None:
            del arrays[key]
    replace_file(path, name, save(arrays))


def npz(**arrays: NDArray[Any]) -> bytes:
    """A file of numpy arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


def refold(path: Path, target: FlatMoments) -> None:
    """Give a bundle other target moments, and the arrays that they fold to."""
    arrays = Refolder(load_bundle(path)).arrays(target)
    moments = {files.TARGET_MEAN: target.mean, files.TARGET_VARIANCE: target.variance}
    replace_arrays(path, files.BASE, **moments)
    replace_arrays(path, files.PREDICT_WEIGHTS, **arrays)


def refusal(path: Path, public_key: Ed25519PublicKey | None = None) -> str:
    """The one line in which a bundle is refused; any other exception fails the test."""
    with pytest.raises(BundleError) as caught:
        load_bundle(path, public_key)
    message = str(caught.value)
    assert message and "\n" not in message
    return message


def edited(path: Path, **changes: Any) -> str:
    """The line in which a bundle is refused after these fields of its manifest were changed."""
    manifest = json.loads((path / files.MANIFEST).read_text())
    manifest.update(changes)
    write_manifest(path, manifest)
    return refusal(path)
