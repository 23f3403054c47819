import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings, available_processors


def test_every_setting_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RN_BUNDLE", "some/where")
    monkeypatch.setenv("RN_COMMIT_EVERY", "7")
    found = Settings()
    assert (found.bundle, found.commit_every) == (Path("some/where"), 7)
    assert Settings(commit_every=8).commit_every == 8


def test_every_setting_is_explained() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", 70000), ("max_images", 0), ("publication_margin", -0.1), ("timeout_seconds", 0)],
)
def test_what_cannot_be(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({"bundle": "x", name: value})


def test_workers() -> None:
    assert Settings(bundle=Path("x"), workers=3).worker_count == 3
    assert Settings(bundle=Path("x")).worker_count == available_processors()
    assert 1 <= available_processors() <= len(os.sched_getaffinity(0))


def test_processors_are_counted_where_there_is_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    available_processors.cache_clear()
    try:
        assert 1 <= available_processors() <= (os.cpu_count() or 1)
    finally:
        available_processors.cache_clear()


def test_earlier_names_of_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RN_GATE_MARGIN", "0.5")
    monkeypatch.setenv("RN_GATE_MAX_SHIFT", "7")
    settings = Settings(bundle=Path("x"))
    assert (settings.publication_margin, settings.publication_max_shift) == (0.5, 7)
    monkeypatch.setenv("RN_PUBLICATION_MARGIN", "0.25")
    assert Settings(bundle=Path("x")).publication_margin == 0.25
