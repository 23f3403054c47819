"""JSON values as flat facts: dotted key to value."""

import json
from collections.abc import Iterator
from typing import Any


def flatten(value: Any, key: str = "") -> dict[str, Any]:
    """The innermost values of nested objects by dotted key; a list is one value, an empty object none."""
    return dict(_walk(value, key))


def brief(value: Any) -> str:
    """A value as a person would write it: text as it is, the rest as JSON."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def printable(text: str) -> str:
    """A text of unknown origin in which no character commands the terminal; those are spelled out."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def _walk(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield key, value
        return
    for name, inner in value.items():
        yield from _walk(inner, f"{key}.{name}" if key else str(name))
