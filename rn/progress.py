"""The progress of a command through many images."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def progress_bar() -> "Progress":
    """A bar with the number of images and the time that is left; quiet where there is no terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    description, left = TextColumn("{task.description}"), TimeRemainingColumn()
    return Progress(description, BarColumn(), MofNCompleteColumn(), left)
