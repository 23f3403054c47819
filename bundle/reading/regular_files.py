"""Reads files that may be anything: only below their directory, and no more bytes than allowed."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from bundle.errors import BundleError


def read_file(directory: Path, name: str, *, limit: int, size: int | None = None) -> bytes:
    """Read a regular file of a directory.

    The memory that is allocated follows from the file itself, never from what a manifest claims.

    Args:
        directory: directory of the file. Links are followed as long as they lead to a file inside it.
        name: name of the file.
        limit: maximum size in bytes.
        size: required size in bytes; None if it is not known.

    Raises:
        BundleError: if the file cannot be read, lies outside the directory, is not a regular file, or
            has another size.
    """
    try:
        with _open(directory, name) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"cannot read {name}: it is not a regular file")
            if size is not None and status.st_size != size:
                raise BundleError(f"{name} has {status.st_size} bytes, the manifest says {size}")
            if status.st_size > limit:
                raise BundleError(
                    f"{name} has {status.st_size} bytes, more than the limit of {limit}"
                )
            content = file.read(status.st_size + 1)
    except OSError as error:
        raise BundleError(f"cannot read {name}: {error.strerror}") from error
    if len(content) != status.st_size:
        raise BundleError(f"{name} changed its size while it was being read")
    return content


def _open(directory: Path, name: str) -> BinaryIO:
    try:
        root, path = directory.resolve(), (directory / name).resolve()
    except RuntimeError as error:
        raise BundleError(f"cannot read {name}: its symbolic links form a circle") from error
    if not path.is_relative_to(root):
        raise BundleError(f"{name} is a link out of the bundle; such links are not followed")
    # A pipe would make the reader wait for a writer.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
    return open(path, "rb", opener=lambda found, _: os.open(found, flags))
