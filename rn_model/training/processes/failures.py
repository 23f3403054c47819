"""How the processes of a training succeed and fail together."""

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
    """Do something in the first process; the others wait, and what fails there fails everywhere.

    Raises:
        ValueError: that ``action`` raised, in every process.
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
def one_line() -> Iterator[None]:
    """Say in one line what can go wrong in the middle of a training, here or in another process.

    Raises:
        TrainingError: with that line.
    """
    try:
        yield
    except UnreadableImage as error:
        raise LocalError(
            f"{error}; mend or remove the file and go on with --resume, or begin again with unreadable:"
            " skip, which leaves such files out"
        ) from error
    except DataError as error:
        raise LocalError(str(error)) from error
    except torch.OutOfMemoryError as error:
        raise LocalError(
            "the GPU has not enough memory: lower training.batch_size, and raise training.accumulate"
            " for as much; the last checkpoint is intact"
        ) from error
    except RuntimeError as error:
        line = describe_error(error, first_line=True)
        if "DataLoader worker" in line:
            raise LocalError(
                f"a process that reads images died: {line} Perhaps memory is short: lower"
                " training.workers, or set it to 0; the last checkpoint is intact"
            ) from error
        if world_size() > 1 and (isinstance(error, dist.DistError) or "gloo" in line):
            raise TrainingError(
                "another process of this training ended; the last checkpoint is intact"
            ) from error
        raise
