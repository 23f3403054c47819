"""A finding of a check."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        good: whether the component works; None for a line that only informs.
    """

    good: bool | None
    text: str
