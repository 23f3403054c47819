from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from bundle import Pixels, load_bundle
from bundle.runtime import make_session
from export.graphs.embedded_arrays import embed, serialize
from export.variants.int8 import CALIBRATION_BATCH, to_int8
from tests.networks import SMALL, WIDE, random_images


def quantized(path: Path, images: Pixels) -> onnx.ModelProto:
    bundle = load_bundle(path)
    return to_int8(embed(bundle.predict, bundle.predict_arrays), images)


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def test_weights_are_symmetric_integers_with_a_scale_per_channel(small_bundle: Path) -> None:
    model = quantized(small_bundle, random_images(SMALL, 8))
    onnx.checker.check_model(model, full_check=True)
    assert [entry.domain for entry in model.opset_import] == [""]
    values = constants(model)
    (conv,) = (node for node in model.graph.node if node.op_type == "Conv")
    (read,) = (node for node in model.graph.node if conv.input[1] in node.output)
    assert read.op_type == "DequantizeLinear"
    weight, scale, zero = (values[name] for name in read.input)
    assert weight.dtype == np.int8 and scale.shape == (4,) and not zero.any()

    bundle = load_bundle(small_bundle)
    (folded,) = (a for a in bundle.predict_arrays.values() if a.shape == weight.shape)
    restored = weight * scale.reshape(-1, 1, 1, 1)
    assert np.abs(restored - folded).max() <= scale.max() / 2 * 1.001


def test_all_images_set_the_ranges(small_bundle: Path) -> None:
    images = np.zeros((CALIBRATION_BATCH + 1, *SMALL.preprocessing.shape), np.uint8)
    dark = constants(quantized(small_bundle, images))
    images[-1] = 255
    light = constants(quantized(small_bundle, images))
    name = next(key for key in light if key.startswith("add") and key.endswith("_scale"))
    # From black to white instead of black and zero: 1 / 0.3 instead of 0.4 / 0.3.
    assert light[name] / dark[name] == np.float32(2.5)


def test_sites_that_are_not_folded_stay_exact(wide_bundle: Path) -> None:
    bundle = load_bundle(wide_bundle)
    images = random_images(WIDE, 64)
    model = quantized(wide_bundle, images)
    values = constants(model)
    for site in bundle.manifest.sites:
        if not site.folded:
            for name in (site.scale, site.shift):
                assert name is not None
                np.testing.assert_array_equal(values[name], bundle.predict_arrays[name])
    expected, found = (
        make_session(graph, arrays).run(None, {"image": images})[0]
        for graph, arrays in ((bundle.predict, bundle.predict_arrays), (serialize(model), {}))
    )
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_grouped_transposed_convolutions_stay_exact() -> None:
    text = """<ir_version: 10, opset_import: ["" : 20]>
        g (uint8[N, 8, 6, 1] image) => (float[N, 4, 8, 6] logits)
        <float[2, 1, 1, 1] v = {1, 2}, float[2, 2, 1, 1] w = {1, 2, 3, 4}, float[4] b = {1, 2, 3, 4}> {
            f = Cast <to = 1> (image)
            x = Transpose <perm = [0, 3, 1, 2]> (f)
            c = Conv (x, v)
            logits = ConvTranspose <group = 2> (c, w, b)
        }"""
    model = onnx.parser.parse_model(text)
    for node in model.graph.node:
        node.name = node.op_type
    values = constants(to_int8(model, random_images(SMALL, 4)))
    np.testing.assert_array_equal(values["b"], [1, 2, 3, 4])
    assert values["v_quantized"].dtype == np.int8
