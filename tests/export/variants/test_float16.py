from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from bundle import load_bundle
from bundle.runtime import make_session
from export.graphs.embedded_arrays import embed, serialize
from export.variants.float16 import rounding_session, to_float16
from tests.networks import SMALL, WIDE, random_images


def test_weights_are_halves_and_inputs_and_outputs_stay(wide_bundle: Path) -> None:
    bundle = load_bundle(wide_bundle)
    model = embed(bundle.predict, bundle.predict_arrays)
    before = serialize(model)
    converted = to_float16(model)
    assert serialize(model) == before
    onnx.checker.check_model(converted, full_check=True)
    types = {tensor.data_type for tensor in converted.graph.initializer}
    assert onnx.TensorProto.FLOAT not in types and onnx.TensorProto.FLOAT16 in types
    assert converted.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert converted.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT

    images = random_images(WIDE, 9)
    expected, found = (
        make_session(content, {}).run(None, {"image": images})[0]
        for content in (before, serialize(converted))
    )
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert 0 < error < 1e-2


def test_a_rounding_session_is_what_the_definition_of_the_operators_says(
    small_bundle: Path,
) -> None:
    bundle = load_bundle(small_bundle)
    model = to_float16(embed(bundle.predict, bundle.predict_arrays))
    (bias,) = (t for t in model.graph.initializer if t.name.endswith("head.bias"))
    bias.CopyFrom(onnx.numpy_helper.from_array(np.array([2000, 0, 60000], np.float16), bias.name))
    images = random_images(SMALL, 6)
    expected = np.asarray(next(iter(ReferenceEvaluator(model).run(None, {"image": images}))))
    (found,) = rounding_session(model).run(None, {"image": images})
    # Neighbouring halves are 1 apart near 2,000, and 32 near 60,000.
    assert not (found[:, 0] % 1).any() and not (found[:, 2] % 32).any()
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-2)
