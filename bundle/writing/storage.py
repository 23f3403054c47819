"""Writes a bundle: whole or not at all."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from bundle.errors import BundleError
from bundle.files import MANIFEST, MANIFEST_SUM
from bundle.manifest import FileEntry, Manifest
from bundle.writing.atomic import write_directory


def describe_files(contents: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """Size and hash of every file, as listed in the manifest."""
    return {
        name: FileEntry(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in sorted(contents.items())
    }


def check_path(path: Path, *, replace: bool) -> None:
    """Check that :func:`write_bundle` would write to a path.

    Args:
        path: directory of the bundle.
        replace: whether an existing bundle may be replaced.

    Raises:
        BundleError: if the path exists, or exists and is not a bundle although it may be replaced.
    """
    if path.exists() and not replace:
        raise BundleError(f"{path} already exists: choose another path or allow replacing it")
    if path.exists() and not (path / MANIFEST).is_file():
        raise BundleError(f"{path} is not a bundle and will not be replaced: choose another path")


def write_bundle(
    path: Path, manifest: Manifest, contents: Mapping[str, bytes], *, replace: bool = False
) -> None:
    """Write a bundle as a directory that appears complete, or does not appear.

    Args:
        path: directory to write.
        manifest: manifest; its ``files`` must describe ``contents``.
        contents: bytes of every other file by name.
        replace: whether an existing bundle may be replaced.

    Raises:
        BundleError: if the path exists, or exists and is not a bundle although it may be replaced.
        OSError: if the disk is full or not writable; an existing bundle is then restored.
    """
    check_path(path, replace=replace)
    text = manifest.to_json()
    checksum = f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode()
    write_directory(path, {**contents, MANIFEST: text, MANIFEST_SUM: checksum})
