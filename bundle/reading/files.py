"""Reads files that may be anything: no further than their directory, no more than was allowed."""

import json
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

from bundle.errors import BundleError


def read_file(directory: Path, name: str, *, limit: int, size: int | None = None) -> bytes:
    """The content of a regular file of a directory.

    Memory is taken for what the file is, not for what is said about it.

    Args:
        directory: links are followed as long as they lead to a file in it.
        name: of the file.
        limit: most bytes that are read.
        size: bytes that it must have, if that is known.

    Raises:
        BundleError: if it cannot be read, is elsewhere, is no file, or has another size.
    """
    try:
        with _open(directory, name) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"cannot read {name}: it is not a regular file")
            if size is not None and status.st_size != size:
                raise BundleError(f"{name} has {status.st_size} bytes, the manifest says {size}")
            if status.st_size > limit:
                raise BundleError(f"{name} has {status.st_size} bytes, at most {limit} are read")
            content = file.read(status.st_size + 1)
    except OSError as error:
        raise BundleError(f"cannot read {name}: {error.strerror}") from error
    if len(content) != status.st_size:
        raise BundleError(f"{name} changed its size while it was read")
    return content


def _open(directory: Path, name: str) -> BinaryIO:
    try:
        root, place = directory.resolve(), (directory / name).resolve()
    except RuntimeError as error:
        raise BundleError(f"cannot read {name}: its links lead in a circle") from error
    if not place.is_relative_to(root):
        raise BundleError(f"{name} is a link out of the bundle, which is not followed")
    # A pipe would let the reader wait for a writer.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
    return open(place, "rb", opener=lambda path, _: os.open(path, flags))


def parse_json(name: str, text: bytes | str) -> Any:
    """The value of a JSON text in which no key comes twice and every number is finite.

    Raises:
        BundleError: if it is not such a text, or nested too deep.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice!r} comes twice")
    return values


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")
