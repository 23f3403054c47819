"""Writes a file, or a directory of files: whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_directory(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write a directory that appears complete and durable, or does not appear.

    Args:
        path: directory to write; an existing one is replaced.
        contents: bytes of each file by its path below the directory.

    Raises:
        OSError: if the disk is full or not writable; an existing directory is then restored.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        temporary.chmod(0o755)
        for name, content in contents.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            _write_durably(temporary / name, content)
        for folder in sorted({(temporary / name).parent for name in contents}):
            _sync_directory(folder)
        _move_into_place(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_file(path: Path, content: bytes) -> None:
    """Write a file that appears complete and durable, or does not appear.

    Args:
        path: file to write; an existing one is replaced.
        content: its bytes.

    Raises:
        OSError: if the disk is full or not writable; an existing file then stays as it was.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        _sync_directory(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
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
