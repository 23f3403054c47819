"""Errors in the images of a task, and helpers for their messages."""

from collections.abc import Sequence


class DataError(ValueError):
    """Images, labels or their description are wrong; the message is one line."""

    def __init__(self, message: str) -> None:
        # An error from a DataLoader worker arrives with the traceback of that process before it.
        lines = message.strip().splitlines() or [""]
        super().__init__(lines[-1].removeprefix(f"{__name__}.{type(self).__name__}: "))


class UnreadableImage(DataError):
    """An existing file is not an image, or is a broken one."""


def shortened(names: Sequence[str], most: int = 5) -> str:
    """The first names of a list, for a message: ``a, b and 7 more``.

    Args:
        names: the whole list.
        most: maximum number of names to show.
    """
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
