"""Failures of a training that has one or more processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from lightning_fabric import Fabric

from bundle.text import describe_error
from rn_model.data import DataError, UnreadableImage
from rn_model.layers.distributed import rank, world_size
from rn_model.training.errors import LocalError, TrainingError


def on_first(fabric: Fabric, action: Callable[[], None]) -> None:
    """Run an action in the first process only; the others wait for it and share its failure.

    Raises:
        ValueError: if ``action`` raised one; in every process.
    """
    reason = ""
    own: ValueError | None = None
    if rank() == 0:
        try:
            action()
        except ValueError as error:
            reason, own = describe_error(error), error
    reason = fabric.broadcast(reason)
    if own is not None:
        raise own
    if reason:
        raise TrainingError(reason)


@contextmanager
def explained_failures() -> Iterator[None]:
    """Within the block, turn failures that the user can fix into one-line errors.

    Raises:
        TrainingError: if an image cannot be read, memory is short, or another process ended.
    """
    try:
        yield
    except UnreadableImage as error:
        raise LocalError(
            f"{error}; repair or remove the file and continue with --resume, or exclude such files with"
            " --resume --set task.target.unreadable=skip (task.source.0.unreadable=skip for the source)"
        ) from error
    except DataError as error:
        raise LocalError(str(error)) from error
    except torch.OutOfMemoryError as error:
        raise LocalError(
            "out of GPU memory: lower training.batch_size and raise training.accumulate by the same"
            " factor; the last checkpoint is intact"
        ) from error
    except RuntimeError as error:
        line = describe_error(error, first_line=True)
        if "DataLoader worker" in line:
            raise LocalError(
                f"a process that reads images died: {line} If memory is short, lower training.workers"
                " or set it to 0; the last checkpoint is intact"
            ) from error
        if world_size() > 1 and (isinstance(error, dist.DistError) or "gloo" in line):
            raise TrainingError(
                "another process of this training ended; the last checkpoint is intact"
            ) from error
        raise
