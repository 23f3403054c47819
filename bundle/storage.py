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


def check_path(path: Path, *, replace: bool) -> None:
    """Refuse a path where :func:`write_bundle` would not write.

    Raises:
        BundleError: if the path is taken, or what is there and may be replaced is not a bundle.
    """
    if path.exists() and not replace:
        raise BundleError(f"{path} already exists: choose another path, or allow replacing it")
    if path.exists() and not (path / MANIFEST).is_file():
        raise BundleError(f"{path} is not a bundle, so it is not replaced: choose another path")


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
        BundleError: if the path is taken, or what is there and may be replaced is not a bundle.
        OSError: if the disk is full or not writable; what was there before is there again.
    """
    check_path(path, replace=replace)
    path = path.resolve()
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
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _move_into_place(temporary: Path, path: Path) -> None:
    old = None
    if path.exists():
        old = path.rename(temporary.with_name(f"{temporary.name}.old"))
    try:
        temporary.rename(path)
        _sync_directory(path.parent)
    except BaseException:
        if path.exists():
            path.rename(temporary)
        if old is not None:
            old.rename(path)
        raise
    if old is not None:
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
