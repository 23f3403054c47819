"""Finds the state dicts in the content of a file, however deep they lie in it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

State = dict[str, Tensor]

_MAX_DEPTH = 8


class Nested(NamedTuple):
    """A dict of tensors in the content of a file.

    Attributes:
        path: keys that lead to it; empty if it is the whole content.
        state: its tensors by name. Anything else in the dict is left out.
    """

    path: tuple[str, ...]
    state: State


def state_dicts(content: Any) -> list[Nested]:
    """All dicts with tensors in nested dicts, lists and tuples, those on top first.

    Example:
        >>> import torch
        >>> content = {"epoch": 3, "model": {"weight": torch.ones(1)}, "optimizer": {"state": {}}}
        >>> [(found.path, list(found.state)) for found in state_dicts(content)]
        [(('model',), ['weight'])]
    """
    return sorted(_walk(content, ()), key=lambda found: len(found.path))


def seen_keys(content: Any) -> str:
    """The keys of a file's content in words, for error messages."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    return f"the keys {some([str(key) for key in content])}" if content else "nothing"


def some(names: list[str], count: int = 3) -> str:
    """The first names of a list, and how many more there are.

    Example:
        >>> some(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[Nested]:
    if len(path) > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        # The state of an optimizer has numbers as keys.
        named = {key: inner for key, inner in value.items() if isinstance(key, str)}
    elif isinstance(value, list | tuple):
        named = {str(number): inner for number, inner in enumerate(value)}
    else:
        return
    state = {key: inner for key, inner in named.items() if isinstance(inner, Tensor)}
    if state and isinstance(value, Mapping):
        yield Nested(path, state)
    for key, inner in named.items():
        yield from _walk(inner, (*path, key))
