"""The examples in the docstrings of `rn_model` run and print what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest
import torch

import rn_model

FOLDER = Path(rn_model.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts)
    for path in FOLDER.rglob("*.py")
    if ">>>" in path.read_text()
)


def test_the_method_and_its_rivals_have_examples() -> None:
    rivals = {"adabn", "autodial", "batch_norm", "dsbn", "transnorm"}
    layers = {
        "functional.aggregation",
        "functional.compensation",
        "reciprocal_norm",
        *(f"rivals.{name}" for name in rivals),
    }
    assert {f"rn_model.layers.{name}" for name in layers} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = doctest.testmod(import_module(name))
    assert found.attempted and not found.failed
