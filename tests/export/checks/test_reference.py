from pathlib import Path

import numpy as np
import onnx
import pytest
from torch import nn

from bundle import Bundle, load_bundle
from bundle.runtime import make_session
from export import ExportError
from export.checks.parity import torch_logits
from export.checks.reference import MAX_OPERATIONS, check_reference
from export.network.pixel_scaling import PixelScaling
from tests.networks import SMALL, random_images, small_model

IMAGES = random_images(SMALL, 5)
IN_GROUPS = """<ir_version: 10, opset_import: ["" : 20]>
    g (uint8[N, 8, 6, 1] image) => (float[N, 4, 8, 6] logits) <float[2, 2, 1, 1] w = {1, 2, 3, 4}> {
        f = Cast <to = 1> (image)
        x = Transpose <perm = [0, 3, 1, 2]> (f)
        c = Concat <axis = 1> (x, x)
        logits = ConvTranspose <group = 2> (c, w)
    }"""


def network() -> nn.Module:
    return nn.Sequential(PixelScaling(SMALL.preprocessing), small_model()).eval()


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


def test_the_definition_of_the_operators_agrees(bundle: Bundle) -> None:
    assert bundle.manifest.parity["reference_logit_error"] < 1e-5
    assert bundle.manifest.parity["reference_images"] == 2
    expected = torch_logits(network(), IMAGES)
    arguments = bundle.predict, bundle.predict_arrays, IMAGES
    assert check_reference(network(), expected, *arguments)["reference_logit_error"] < 1e-5
    expected[1, 0] += 1e-3 * np.abs(expected).max()
    with pytest.raises(ExportError, match=r"^the reference evaluation of predict\.onnx disagrees"):
        check_reference(network(), expected, *arguments)


def test_a_large_network_is_skipped(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = torch_logits(network(), IMAGES)
    assert MAX_OPERATIONS > 10_000
    monkeypatch.setattr("export.checks.reference.MAX_OPERATIONS", 10)
    found = check_reference(network(), expected, bundle.predict, bundle.predict_arrays, IMAGES)
    assert found == {}


def test_a_network_with_an_unknown_operator_is_skipped(bundle: Bundle) -> None:
    model = onnx.load_model_from_string(bundle.predict)
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Unknown"
    expected = torch_logits(network(), IMAGES)
    graph = model.SerializeToString()
    assert check_reference(network(), expected, graph, bundle.predict_arrays, IMAGES) == {}


def test_a_network_that_the_evaluator_cannot_run_is_skipped() -> None:
    graph = onnx.parser.parse_model(IN_GROUPS).SerializeToString()
    (expected,) = make_session(graph, {}).run(["logits"], {"image": IMAGES})
    assert check_reference(network(), expected, graph, {}, IMAGES) == {}
