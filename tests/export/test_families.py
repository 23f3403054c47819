"""Networks of every family are folded, observed and refolded as torch does in float64."""

from collections import Counter

import onnx
import pytest
import torch

from bundle import files
from rn_model import convert_normalization
from tests.export.exactness import (
    Exported,
    check_observation,
    check_predictions,
    check_refolding,
    check_weights,
    exported,
)
from tests.export.families import FAMILIES
from tests.networks import shake

Family = tuple[str, Exported]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    """Name of a family, and a network of it."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = FAMILIES[request.param][0]().eval()
    convert_normalization(model).requires_grad_(False)
    shake(model)
    return request.param, exported(model)


def test_every_norm_that_can_be_folded_is_and_no_other_is_left(family: Family) -> None:
    name, found = family
    explicit = {site.name for site in found.parts.table if not site.folded}
    assert explicit == FAMILIES[name][1]
    assert [site.name for site in found.parts.table] == [site.name for site in found.sites]
    graph = onnx.load_model_from_string(found.parts.contents[files.PREDICT]).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert not {kind for kind in kinds if "Normalization" in kind}
    scales = {site.scale for site in found.parts.table}
    assert sum(bool(scales & set(node.input)) for node in graph.node) == len(explicit)


@pytest.mark.parametrize("count", [1, 5])
def test_predictions_are_the_target_branchs(family: Family, count: int) -> None:
    check_predictions(family[1], count)


def test_any_moments_are_refolded(family: Family) -> None:
    check_refolding(family[1])


@pytest.mark.parametrize("count", [1, 4])
def test_every_site_observes_what_its_layer_does(family: Family, count: int) -> None:
    check_observation(family[1], count)


def test_an_image_of_weight_zero_has_no_effect(family: Family) -> None:
    check_weights(family[1])
