"""Contents of a data set as stored, before any selection or preprocessing."""

from typing import NamedTuple

from rn_model.data.sets import Indices, Pictures


class Contents(NamedTuple):
    """Everything found at the location of a data set.

    Attributes:
        pictures: all ``N`` images.
        labels: class numbers ``(N,)``, counted from 0; None if unknown.
        classes: names of the classes; None if unknown.
        passed_over: one line per kind of file that is not a supported image.
    """

    pictures: Pictures
    labels: Indices | None
    classes: tuple[str, ...] | None
    passed_over: tuple[str, ...] = ()
