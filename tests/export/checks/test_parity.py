from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from bundle import load_bundle
from export import ExportError
from export.checks.parity import (
    BATCH,
    batches,
    check_batch_moments,
    check_observations,
    check_predictions,
    torch_logits,
)
from export.network.pixel_scaling import PixelScaling
from export.network.sites import find_sites
from rn_model import domain_norms
from rn_model.layers.shrinkage import Spread
from tests.networks import SMALL, random_images, small_model
from tests.shrinking import spreads

IMAGES = random_images(SMALL, BATCH + 3)


def network() -> nn.Module:
    return nn.Sequential(PixelScaling(SMALL.preprocessing), small_model()).eval()


def test_batches_are_all_images_in_order() -> None:
    assert [len(part) for part in batches(IMAGES)] == [BATCH, 3]
    np.testing.assert_array_equal(np.concatenate(batches(IMAGES)), IMAGES)
    with torch.no_grad():
        whole = network()(torch.from_numpy(IMAGES)).numpy()
    np.testing.assert_allclose(torch_logits(network(), IMAGES), whole, rtol=1e-4, atol=1e-5)


def test_a_faithful_graph_passes(small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    expected = torch_logits(network(), IMAGES)
    found = check_predictions(expected, bundle.predict, bundle.predict_arrays, IMAGES)
    assert found["images"] == len(IMAGES)
    assert found["logit_error"] < 1e-5 and found["agreement"] == 1


@pytest.mark.parametrize("error", [1e-3, -1e-3, float("nan")])
def test_a_wrong_logit_is_refused(small_bundle: Path, error: float) -> None:
    bundle = load_bundle(small_bundle)
    expected = torch_logits(network(), IMAGES)
    expected[-1, 0] += error * np.abs(expected).max()
    with pytest.raises(
        ExportError, match=rf"^predict\.onnx disagrees with the torch model on {len(IMAGES)}"
    ):
        check_predictions(expected, bundle.predict, bundle.predict_arrays, IMAGES)


def test_a_tie_is_not_a_disagreement(small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    arrays = dict(bundle.predict_arrays)
    (bias,) = (name for name in arrays if name.endswith("head.bias"))
    (weight,) = (name for name in arrays if name.endswith("head.weight"))
    arrays[weight] = np.repeat(arrays[weight][:1], 3, axis=0)
    arrays[bias] = np.array([0, 1e-6, 0], np.float32)
    tied = network()
    with torch.no_grad():
        head = tied.get_submodule("1.head")
        assert isinstance(head, nn.Linear)
        head.weight.copy_(torch.from_numpy(arrays[weight]))
        head.bias.zero_()
    found = check_predictions(torch_logits(tied, IMAGES), bundle.predict, arrays, IMAGES)
    assert found["agreement"] == 0


def test_observing_predicts_as_torch_does_and_a_wrong_graph_is_refused(small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    expected = torch_logits(network(), IMAGES)
    arguments = bundle.observe, bundle.observe_arrays, bundle.target, IMAGES
    assert check_observations(expected, *arguments)["observe_logit_error"] < 1e-5
    expected[0, 0] += 1e-3 * np.abs(expected).max()
    with pytest.raises(ExportError, match=r"^observe\.onnx disagrees"):
        check_observations(expected, *arguments)


@pytest.mark.parametrize(("output", "error"), [("batch_mean", 2e-4), ("batch_variance", 2e-4)])
def test_observed_moments_must_be_those_of_the_layers(
    small_bundle: Path, output: str, error: float
) -> None:
    bundle = load_bundle(small_bundle)
    exact = network()
    sites = find_sites(exact, torch.from_numpy(IMAGES[:2]))
    observed = (bundle.observe_arrays, bundle.target, IMAGES)
    found_spreads = [Spread(float(m), float(s)) for m, s in spreads(bundle.compensate)]
    found = check_batch_moments(exact, sites, found_spreads, bundle.observe, *observed)
    assert found["observe_moment_error"] < 1e-5
    assert bundle.manifest.parity["observe_moment_error"] < 1e-5
    assert all(layer.observation is None for _, layer in domain_norms(exact))

    model = onnx.load_model_from_string(bundle.observe)
    node = next(node for node in model.graph.node if output in node.output)
    node.output[0] = "exact"
    factor = onnx.numpy_helper.from_array(np.array(1 + error, np.float32), "factor")
    model.graph.initializer.append(factor)
    model.graph.node.append(onnx.helper.make_node("Mul", ["exact", "factor"], [output]))
    with pytest.raises(ExportError, match=r"the moments at '1\..*' differ by .* 1e-04 is allowed"):
        check_batch_moments(exact, sites, found_spreads, model.SerializeToString(), *observed)
