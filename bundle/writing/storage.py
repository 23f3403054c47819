"""Writes a bundle: whole or not at all."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from bundle.errors import BundleError
from bundle.files import MANIFEST, MANIFEST_SUM
from bundle.manifest import FileEntry, Manifest
from bundle.writing.atomic import write_directory


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
    text = manifest.to_json()
    checksum = f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode()
    write_directory(path, {**contents, MANIFEST: text, MANIFEST_SUM: checksum})
