"""Directories of bundles that differ."""

import json
from pathlib import Path

from bundle.files import MANIFEST
from tests.bundle.tampering import copy_of, write_manifest


def put_bundle(source: Path, directory: Path, name: str, label: str | None = None) -> Path:
    """Copy a bundle into a directory of models, instead of the one that it may hold.

    Args:
        source: the bundle.
        directory: directory of models.
        name: name of the model.
        label: name in the manifest, which makes the copy another bundle; by default that of the model.
    """
    made = copy_of(source, directory / ".made")
    manifest = json.loads((made / MANIFEST).read_text())
    write_manifest(made, {**manifest, "name": label or name})
    path = directory / name
    old = directory / ".old"
    if path.exists():
        path.rename(old)
    made.rename(path)
    if old.exists():
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    return path
