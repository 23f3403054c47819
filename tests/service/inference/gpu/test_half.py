"""The folded graph in float16, with arrays that are folded before they are rounded; on the CPU."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from bundle import Bundle, load_bundle
from bundle.moments import FlatMoments
from bundle.reading.graphs import external_initializers
from bundle.runtime import Refolder, make_session
from service.inference.gpu.half import HalfGraph, to_half
from tests.service.pictures import noise


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def half(bundle: Bundle) -> HalfGraph:
    return HalfGraph(bundle.predict, bundle.predict_arrays)


def test_every_weight_stays_outside_and_is_halved(bundle: Bundle, half: HalfGraph) -> None:
    model = onnx.load_model_from_string(half.graph)
    outside = {tensor.name: tensor for tensor in external_initializers(model.graph)}
    assert outside.keys() == bundle.predict_arrays.keys()
    assert {tensor.data_type for tensor in outside.values()} == {onnx.TensorProto.FLOAT16}
    assert all(not tensor.raw_data for tensor in outside.values())
    types = {array.dtype for array in half.arrays(bundle.predict_arrays).values()}
    assert types == {np.dtype(np.float16)}


def test_the_types_of_images_and_logits_stay(bundle: Bundle, half: HalfGraph) -> None:
    session = make_session(half.graph, half.arrays(bundle.predict_arrays), threads=1)
    assert [value.type for value in session.get_inputs()] == ["tensor(uint8)"]
    assert [value.type for value in session.get_outputs()] == ["tensor(float)"]


def test_a_refolded_version_predicts_as_in_float32(bundle: Bundle, half: HalfGraph) -> None:
    moments = FlatMoments(bundle.target.mean + 0.3, bundle.target.variance * 1.7)
    arrays = Refolder(bundle).arrays(moments, 64.0)
    images = noise(32, 5)
    logits = [
        make_session(graph, values, threads=1).run(["logits"], {"image": images})[0]
        for graph, values in (
            (bundle.predict, arrays),
            (half.graph, half.arrays(arrays)),
            (half.graph, half.arrays(bundle.predict_arrays)),
        )
    ]
    scale = np.abs(logits[0]).max()
    assert 0 < np.abs(logits[1] - logits[0]).max() < 0.01 * scale
    assert np.abs(logits[2] - logits[0]).max() > 0.05 * scale


def test_what_exceeds_float16_stays_finite() -> None:
    values = np.array([1e6, -1e6, 1.0, 1e-9, 65504.0], np.float32)
    assert to_half(values).tolist() == [65504.0, -65504.0, 1.0, 0.0, 65504.0]
