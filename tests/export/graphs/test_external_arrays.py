import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from safetensors.numpy import load

from bundle import files
from export.graphs.external_arrays import float_initializers, keep_apart, pack, serialize

ARRAYS: dict[str, NDArray[Any]] = {
    "b": np.arange(3, dtype=np.float32),
    "a": np.arange(4, dtype=np.float64).reshape(2, 2).T,
    "c": np.zeros((0, 2), np.float32),
}


def test_packing_keeps_every_array() -> None:
    content = pack(ARRAYS)
    assert content == pack(dict(reversed(ARRAYS.items())))
    found = load(content)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def graph() -> ir.Model:
    text = """
        <ir_version: 10, opset_import: ["" : 20]>
        g (float[N, 3] x) => (float[N, 3] y)
        <float[3] w = {1, 2, 3}, float[3] v = {4, 5, 6}, float s = {7}, int64[1] i = {8}>
        { z = Mul(x, w)  u = Add(z, v)  y = Mul(u, s) }
    """
    return ir.from_proto(onnx.parser.parse_model(text))


def test_weights_are_float_arrays_with_a_dimension() -> None:
    found = float_initializers(graph())
    assert found.keys() == {"w", "v"}
    np.testing.assert_array_equal(found["w"], [1, 2, 3])


def test_external_arrays_are_referred_to_by_byte_range() -> None:
    content = pack({"w": np.array([1, 2, 3], np.float32), **ARRAYS})
    model = onnx.load_model_from_string(serialize(graph(), {"arrays": content}))
    outside = {t.name: t for t in model.graph.initializer if t.external_data}
    assert outside.keys() == {"w"}
    assert not outside["w"].raw_data and not outside["w"].float_data
    place = {entry.key: entry.value for entry in outside["w"].external_data}
    start, length = int(place["offset"]), int(place["length"])
    assert place["location"] == "arrays"
    np.testing.assert_array_equal(np.frombuffer(content[start : start + length], "<f4"), [1, 2, 3])


def test_names_that_mean_two_things_are_kept_apart() -> None:
    model = graph()
    keep_apart(model, {"w": np.array([1, 2, 3], np.float32), "v": np.zeros(3, np.float32)})
    assert set(model.graph.initializers) == {"w", "observe.v", "s", "i"}
    node = next(node for node in model.graph if node.op_type == "Add")
    assert [value.name for value in node.inputs if value is not None] == ["z", "observe.v"]


def test_nothing_of_the_machine_is_in_the_graphs(small_bundle: Path) -> None:
    here = str(Path(__file__).parents[3]).encode()
    for name in (files.PREDICT, files.OBSERVE, files.COMPENSATE):
        content = (small_bundle / name).read_bytes()
        assert here not in content and b"site-packages" not in content and b".py" not in content


def test_byte_ranges_lie_within_the_file(wide_bundle: Path) -> None:
    for graph_name, arrays_name in (
        (files.PREDICT, files.PREDICT_WEIGHTS),
        (files.OBSERVE, files.BASE),
    ):
        content = (wide_bundle / arrays_name).read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        assert json.loads(content[8 : 8 + length])
        arrays = load(content)
        model = onnx.load_model_from_string((wide_bundle / graph_name).read_bytes())
        outside = [t for t in model.graph.initializer if t.external_data]
        assert outside
        for tensor in outside:
            place = {entry.key: entry.value for entry in tensor.external_data}
            start = int(place["offset"])
            values = np.frombuffer(content[start : start + int(place["length"])], "<f4")
            np.testing.assert_array_equal(values, arrays[tensor.name].ravel())
