"""Parses JSON strictly: no repeated keys, no numbers that are not finite."""

import json
import math
from collections import Counter
from typing import Any

from bundle.errors import BundleError


def parse_json(name: str, text: bytes | str) -> Any:
    """Parse a JSON text in which no object repeats a key and every number is finite.

    Args:
        name: name of the text in error messages.
        text: JSON; bytes are decoded as UTF-8.

    Raises:
        BundleError: if it is not such a text, or is nested too deeply.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_finite,
            parse_constant=_reject_constant,
        )
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {repeated!r} is repeated")
    return values


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is out of range")
    return value


def _reject_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")
