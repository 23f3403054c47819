"""File descriptors, where the system limits them and where it says that it does not."""

import resource

import pytest

from service.server.listening import MOST_DESCRIPTORS, RESERVED_DESCRIPTORS, connections_possible


def test_an_infinite_limit_is_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    infinite = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, infinite))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    possible = connections_possible()
    assert given == [(MOST_DESCRIPTORS, infinite)]
    assert MOST_DESCRIPTORS // 2 < possible < MOST_DESCRIPTORS - RESERVED_DESCRIPTORS
