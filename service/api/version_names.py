"""Numbers and labels of versions in requests."""

from typing import Annotated, get_args

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from service.vocabulary import Label

MAX_NUMBER = 2**31 - 1
LABELS: tuple[Label, ...] = get_args(Label)


def parse_version(text: object) -> object:
    """The number or label that a text names.

    Raises:
        ValueError: if it names neither.
    """
    if text in LABELS or text is None:
        return text
    value = str(text)
    if value.isascii() and value.isdecimal() and len(value) <= 10 and int(value) <= MAX_NUMBER:
        return int(value)
    expected = f"send the number of a version or a label ({', '.join(LABELS)})"
    raise PydanticCustomError("version", "{expected}", {"expected": expected})


VersionName = Annotated[int | Label, BeforeValidator(parse_version)]
