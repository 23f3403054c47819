"""Checkpoints, from which a training resumes bit-exactly."""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from bundle.writing.atomic import write_file
from rn_model.training.errors import TrainingError, writing

FILE = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint of a run atomically.

    Raises:
        TrainingError: if the disk is full or not writable; the previous checkpoint is intact.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with writing(folder / FILE):
        write_file(folder / FILE, buffer.getvalue())


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Read the checkpoint of a run, or return None if there is none.

    Raises:
        TrainingError: if it is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # torch does not verify checksums
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes can raise any error in zip and pickle
        raise _damaged(path) from error
    if broken is not None:
        raise _damaged(path)
    return state


def _damaged(path: Path) -> TrainingError:
    return TrainingError(f"{path} is damaged: delete it to start this run again")
