"""Reasons for which a training stops early; each message is one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TrainingError(ValueError):
    """The user has to change something before the training can run or continue."""


class LocalError(TrainingError):
    """A :class:`TrainingError` that, of several processes, possibly only this one encountered."""


class Interrupted(Exception):
    """A signal stopped the training; the last checkpoint is complete."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within the block, turn failures to write a file of a run into one-line errors.

    Args:
        path: file or folder to name in the error.

    Raises:
        TrainingError: if the disk is full or not writable.
    """
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"cannot write {path}: {error.strerror or error}; the last checkpoint is intact: free some"
            " space and continue with --resume"
        ) from error
