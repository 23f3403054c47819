"""Writes a bundle: whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bundle.errors import BundleError
from bundle.files import MANIFEST, MANIFEST_SUM
from bundle.manifest import FileEntry, Manifest


def describe_files(contents: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """Size and hash of every file, as the manifest lists them."""
    return {
        name: FileEntry(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in sorted(contents.items())
    }


def write_bundle(
    path: Path, manifest: Manifest, contents: Mapping[str, bytes], *, replace: bool = False
) -> None:
    """Write a bundle to a directory that appears complete, or does not appear.

    Args:
        path: the directory to make.
        manifest: its ``files`` must describe ``contents``.
        contents: file name to bytes.
        replace: whether a bundle that is already there may be replaced.

    Raises:
        BundleError: if the path is taken.
        OSError: if the disk is full or not writable; nothing is left behind.
    """
    if path.exists() and not replace:
        raise BundleError(f"{path} already exists: choose another path, or allow replacing it")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        temporary.chmod(0o755)
        text = manifest.to_json()
        digest = hashlib.sha256(text).hexdigest()
        checksum = f"{digest}  {MANIFEST}\n".encode()
        for name, content in {**contents, MANIFEST: text, MANIFEST_SUM: checksum}.items():
            _write_durably(temporary / name, content)
        _sync_directory(temporary)
        _move_into_place(temporary, path)
        _sync_directory(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _move_into_place(temporary: Path, path: Path) -> None:
    if not path.exists():
        temporary.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    path.rename(old / path.name)
    try:
        temporary.rename(path)
    except BaseException:
        (old / path.name).rename(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
