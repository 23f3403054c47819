"""The examples in the docstrings of ``bundle`` run and print what they show."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import bundle

FOLDER = Path(bundle.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts)
    for path in FOLDER.rglob("*.py")
    if ">>>" in path.read_text()
)


def test_folding_and_scores_have_examples() -> None:
    assert {"bundle.fold", "bundle.scores", "bundle.text"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_show(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted and not found.failed
