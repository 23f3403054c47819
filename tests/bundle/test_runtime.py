import gc
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bundle import load_bundle
from bundle.moments import FlatMoments
from bundle.runtime import Refolder, make_session


def graph(size: int) -> bytes:
    """``(x * scale) @ weight + shift`` with external arrays."""

    def outside(name: str, *shape: int) -> TensorProto:
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="nowhere")
        return tensor

    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "weight"], ["product"]),
        helper.make_node("Add", ["product", "shift"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", size]) for n in ("x", "y")]
    arrays = [outside("scale", size), outside("weight", size, size), outside("shift", size)]
    inner = helper.make_graph(nodes, "affine", ends[:1], ends[1:], arrays)
    model = helper.make_model(inner, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("size", [2, 30, 700])
@pytest.mark.parametrize("contiguous", [True, False])
def test_a_session_keeps_its_own_arrays(size: int, contiguous: bool) -> None:
    generator = np.random.default_rng(0)
    arrays = {
        "scale": generator.random(size, np.float32),
        "weight": generator.random((size, size), np.float32),
        "shift": generator.random(size, np.float32),
    }
    if not contiguous:
        arrays["weight"] = arrays["weight"].T
    x = generator.random((3, size), np.float32)
    expected = (x * arrays["scale"]) @ arrays["weight"] + arrays["shift"]
    session = make_session(graph(size), arrays, threads=1)
    for array in arrays.values():
        array[:] = np.nan
    del array
    arrays.clear()
    gc.collect()
    for _ in range(2):
        np.testing.assert_allclose(session.run(["y"], {"x": x})[0], expected, rtol=1e-4)


def test_base_moments_refold_to_the_exported_arrays(small_bundle: Path, wide_bundle: Path) -> None:
    for path in (small_bundle, wide_bundle):
        bundle = load_bundle(path)
        arrays = Refolder(bundle).arrays(bundle.target, 0.0)
        assert arrays.keys() == bundle.predict_arrays.keys()
        for name, array in arrays.items():
            expected = bundle.predict_arrays[name]
            assert array.dtype == np.float32 and array.shape == expected.shape
            np.testing.assert_allclose(array, expected, 1e-6, 1e-6 * np.abs(expected).max())


def test_only_the_arrays_of_sites_depend_on_the_moments(wide_bundle: Path) -> None:
    bundle = load_bundle(wide_bundle)
    moved = FlatMoments(bundle.target.mean + 1, bundle.target.variance * 2)
    refolder = Refolder(bundle)
    folded = refolder.folded(moved, 64.0)
    named = {n for s in bundle.manifest.sites for n in (s.weight, s.bias, s.scale, s.shift) if n}
    assert folded.keys() == named
    arrays = refolder.arrays(moved, 64.0)
    for name, array in bundle.predict_arrays.items():
        assert np.array_equal(arrays[name], array) == (name not in named)


def test_the_graphs_are_valid(small_bundle: Path, wide_bundle: Path) -> None:
    for path in (small_bundle, wide_bundle):
        for file in path.glob("*.onnx"):
            onnx.checker.check_model(str(file), full_check=True)
