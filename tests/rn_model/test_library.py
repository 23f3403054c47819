"""docs/library.md is one program that runs as it stands there."""

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from bundle import load_bundle
from rn_model.objectives import OBJECTIVES, Objective

DOCUMENT = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
PROGRAM = "\n".join(re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with torch.random.fork_rng(), contextlib.chdir(tmp_path_factory.mktemp("library")):
        exec(compile(PROGRAM, "library.md", "exec"), found)
        found["bundle"] = load_bundle(Path("bundles/mine"))
        found["unadapted"] = load_bundle(Path("bundles/pretrained"))
    return found


def test_the_network_is_adapted(names: dict[str, Any]) -> None:
    assert names["accuracy"] > 0.9
    assert names["best"] == "adapted"


def test_the_network_is_exported(names: dict[str, Any]) -> None:
    manifest = names["bundle"].manifest
    assert manifest.normalization == "ReciprocalNorm"
    assert len(manifest.sites) == 2


def test_a_pretrained_network_is_exported(names: dict[str, Any]) -> None:
    manifest = names["unadapted"].manifest
    assert (manifest.normalization, manifest.target.origin) == ("AdaBN", "source")
    assert isinstance(names["pretrained"][1], torch.nn.BatchNorm2d)


def test_what_is_said_of_the_layers_is_so(names: dict[str, Any]) -> None:
    model = names["model"]
    assert [found.name for found in names["layer_diagnostics"](model)] == ["1", "4"]
    layer, x = model[1].eval(), torch.randn(5, 16, 3, 3)
    scale, shift = (v.view(-1, 1, 1) for v in layer.scale_and_shift("target"))
    torch.testing.assert_close(layer(x), scale * x + shift)
    mean, variance = (v.view(-1, 1, 1) for v in layer.effective_moments("target"))
    plain = (x - mean) / (variance + layer.eps).sqrt()
    weight, bias = (v.view(-1, 1, 1) for v in (layer.weight, layer.bias))
    torch.testing.assert_close(layer(x), weight * plain + bias)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("needs_refresh", {"shot", "ba3us"}),
        ("source_free", {"shot"}),
        ("source_weight", {"etn", "ba3us"}),
    ],
)
def test_what_is_said_of_the_objectives_is_so(what: str, expected: set[str]) -> None:
    (line,) = [line for line in DOCUMENT.splitlines() if line.startswith(f"- `objective.{what}")]
    in_brackets = re.search(r"\(([A-Z0-9, ]+)\):", line)
    assert in_brackets is not None
    assert set(in_brackets[1].lower().split(", ")) == expected
    for name, kind in OBJECTIVES.items():
        weighs = kind.weighting is not Objective.weighting
        assert (weighs if what == "source_weight" else getattr(kind, what)) == (name in expected)
