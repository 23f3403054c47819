"""Why a training stopped before its end; each is one clear line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TrainingError(ValueError):
    """Something that the user has to change before the training can go on."""


class LocalError(TrainingError):
    """The same, where of several processes only this one may know what it is."""


class Interrupted(Exception):
    """The user or the system asked the training to stop; the last checkpoint is complete."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within the block, files of a run are written.

    Args:
        path: what cannot be written if it fails.

    Raises:
        TrainingError: if the disk is full or not writable.
    """
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"cannot write {path}: {error.strerror or error}; the last checkpoint is intact: make room"
            " and resume"
        ) from error
