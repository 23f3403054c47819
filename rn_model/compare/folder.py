"""The directory of a comparison: whose it is, who works in it, and what failed in it."""

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
    """Make the directory of a grid, or go on in it; the grid is written into it.

    Raises:
        TrainingError: if something else is in it, or it cannot be written.
    """
    taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if taken and not (out / GRID).is_file():
        raise TrainingError(f"{out} exists and is not the directory of a grid: give another one")
    text = yaml.safe_dump(grid.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_file(out / GRID, text.encode())
    except OSError as error:
        raise TrainingError(f"cannot write to {out}: {error.strerror or error}") from error


@contextmanager
def locked(out: Path) -> Iterator[int]:
    """Work in the directory alone; yields a descriptor that holds the lock in other processes, too.

    Raises:
        TrainingError: if others are at work.
    """
    descriptor = os.open(out / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as error:
        raise TrainingError(
            f"trainings are running in {out}: wait for them, or stop them first"
        ) from error
    finally:
        os.close(descriptor)


def read_failures(out: Path) -> dict[str, str]:
    """Why runs failed, by their path below the directory."""
    path = out / FAILURES
    if not path.is_file():
        return {}
    failures: dict[str, str] = json.loads(path.read_bytes())
    return failures


def write_failures(out: Path, failures: Mapping[str, str]) -> None:
    """The counterpart of :func:`read_failures`."""
    write_file(out / FAILURES, f"{json.dumps(failures, indent=1)}\n".encode())
