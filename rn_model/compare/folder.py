"""The directory of a comparison: ownership, lock, and the failures of its runs."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from bundle.writing.atomic import write_file
from rn_model.compare.config import GridConfig
from rn_model.training.errors import TrainingError

GRID = "comparison.yaml"
FAILURES = "failures.json"
_LOCK = ".lock"


def claim_folder(out: Path, grid: GridConfig) -> None:
    """Create the directory of a comparison or reuse it, and write the grid into it.

    Raises:
        TrainingError: if the directory contains something else, or cannot be written.
    """
    taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if taken and not (out / GRID).is_file():
        raise TrainingError(
            f"{out} exists but is not the directory of a comparison: use another one"
        )
    text = yaml.safe_dump(grid.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_file(out / GRID, text.encode())
    except OSError as error:
        raise TrainingError(f"cannot write to {out}: {error.strerror or error}") from error


@contextmanager
def locked(out: Path) -> Iterator[int]:
    """Lock the directory; yield a file descriptor that keeps the lock in child processes, too.

    Raises:
        TrainingError: if another process has locked the directory.
    """
    descriptor = os.open(out / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as error:
        raise TrainingError(
            f"another comparison is running in {out}: wait for it, or stop it first"
        ) from error
    finally:
        os.close(descriptor)


def read_failures(out: Path) -> dict[str, str]:
    """Read the reasons why runs failed, by their path below the directory."""
    path = out / FAILURES
    if not path.is_file():
        return {}
    failures: dict[str, str] = json.loads(path.read_bytes())
    return failures


def write_failures(out: Path, failures: Mapping[str, str]) -> None:
    """Write what :func:`read_failures` reads."""
    write_file(out / FAILURES, f"{json.dumps(failures, indent=1)}\n".encode())
