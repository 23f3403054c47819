"""Text for people: JSON values as flat facts, printable texts, and exceptions on one line."""

import json
from collections.abc import Iterator
from typing import Any


def flatten(value: Any, key: str = "") -> dict[str, Any]:
    """Values of nested objects by dotted key; a list counts as one value, an empty object as none.

    Example:
        >>> flatten({"files": {"size": 3, "names": ["a", "b"]}, "empty": {}})
        {'files.size': 3, 'files.names': ['a', 'b']}
    """
    return dict(_walk(value, key))


def brief(value: Any) -> str:
    """A value in short form: text as it is, floats with six digits, other values as JSON.

    Example:
        >>> brief(1 / 3), brief("text"), brief([1, None])
        ('0.333333', 'text', '[1, null]')
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def printable(text: str) -> str:
    """Escape the characters of a text that could control a terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def single_line(text: str) -> str:
    """Replace every run of white space in a text by one space."""
    return " ".join(text.split())


def describe_error(
    error: BaseException, *, first_line: bool = False, kind: bool = False, limit: int | None = None
) -> str:
    r"""Message of an exception on one line; the name of its type if it has no message.

    Args:
        error: exception, often raised by another library.
        first_line: whether to use only the first line of the message. Some libraries append details, such
            as the SQL statement that failed.
        kind: whether to put the name of the type before the message.
        limit: maximum length in characters.

    Example:
        >>> describe_error(ValueError("not a number:\n  x"))
        'not a number: x'
    """
    lines = str(error).strip().splitlines()
    text = single_line(" ".join(lines[:1] if first_line else lines))
    name = type(error).__name__
    if not text:
        return name
    return (f"{name}: {text}" if kind else text)[:limit]


def _walk(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield key, value
        return
    for name, inner in value.items():
        yield from _walk(inner, f"{key}.{name}" if key else str(name))
