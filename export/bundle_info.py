"""Everything that a bundle records about a model besides the network."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from bundle.manifest import NAME_PATTERN
from bundle.preprocessing import Preprocessing
from export.errors import ExportError


@dataclass(frozen=True)
class BundleInfo:
    """Everything that a bundle records about a model besides the network.

    Attributes:
        name: name of the model: up to 64 letters, digits, ``.``, ``_`` and ``-``.
        classes: labels in the order of the logits.
        preprocessing: preprocessing contract that the model was trained with.
        provenance: origin of the model, any JSON values.
    """

    name: str
    classes: Sequence[str]
    preprocessing: Preprocessing
    provenance: Mapping[str, JsonValue]

    def check(self) -> None:
        """Check the name and the number of classes.

        Raises:
            ExportError: if the name is not valid, or there are fewer than two classes.
        """
        if not re.fullmatch(NAME_PATTERN, self.name):
            raise ExportError(
                f"{self.name!r} is not a valid model name: use up to 64 letters, digits, '.', '_' and"
                " '-', beginning with a letter or digit"
            )
        if len(self.classes) < 2:
            raise ExportError(f"a classifier needs at least two classes, not {len(self.classes)}")
