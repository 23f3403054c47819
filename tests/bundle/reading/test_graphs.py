import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bundle import files
from bundle.reading.graphs import external_initializers
from tests.bundle.tampering import edited, refusal, replace_arrays, replace_file


def changed(path: Path, name: str, change: Callable[[onnx.ModelProto], object]) -> str:
    """The error of a bundle in which one graph was changed, together with the hashes."""
    model = onnx.load_model_from_string((path / name).read_bytes())
    change(model)
    replace_file(path, name, model.SerializeToString())
    message = refusal(path)
    assert message.startswith(name)
    return message


def first_external(model: onnx.ModelProto) -> onnx.TensorProto:
    return external_initializers(model.graph)[0]


@pytest.mark.parametrize("name", [files.PREDICT, files.OBSERVE])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("location", "../../etc/passwd"),
        ("location", "/etc/passwd"),
        ("location", "canary.npz"),
        ("location", "./predict.safetensors"),
        ("location", "*/_ORT_MEM_ADDR_/*"),
        ("offset", "0"),
        ("offset", "-8"),
        ("offset", "99999999999"),
        ("offset", "one"),
        ("length", "0"),
        ("length", "10000000000"),
    ],
)
def test_arrays_elsewhere_are_refused(path: Path, name: str, key: str, value: str) -> None:
    def move(model: onnx.ModelProto) -> None:
        for entry in first_external(model).external_data:
            if entry.key == key:
                entry.value = value

    assert "must be at offset" in changed(path, name, move)


@pytest.mark.parametrize("keys", [["location"], ["location", "offset", "length", "checksum"]])
def test_arrays_whose_place_is_not_clear_are_refused(path: Path, keys: list[str]) -> None:
    def rewrite(model: onnx.ModelProto) -> None:
        tensor = first_external(model)
        found = {entry.key: entry.value for entry in tensor.external_data}
        del tensor.external_data[:]
        for key in keys:
            tensor.external_data.add(key=key, value=found.get(key, "0"))

    assert "must be at offset" in changed(path, files.PREDICT, rewrite)


def test_compensation_embeds_its_arrays(path: Path) -> None:
    def move(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=files.BASE)

    assert "is stored in another file, which is not allowed" in changed(
        path, files.COMPENSATE, move
    )


def test_a_file_read_by_a_constant_is_refused(path: Path) -> None:
    def add(model: onnx.ModelProto) -> None:
        tensor = TensorProto(name="secret", data_type=TensorProto.UINT8, dims=[8])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/hostname")
        model.graph.node.insert(0, helper.make_node("Constant", [], ["stolen"], value=tensor))

    assert "reads a file" in changed(path, files.PREDICT, add)


def branch(name: str) -> onnx.GraphProto:
    value = numpy_helper.from_array(np.zeros(1, np.float32), name)
    node = helper.make_node("Constant", [], [name], value=value)
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
    return helper.make_graph([node], name, [], [output])


NODES = {
    "foreign domain": helper.make_node("Relu", ["x"], ["y"], domain="com.microsoft"),
    "unknown operator": helper.make_node("ReadFile", ["x"], ["y"]),
    "later operator": helper.make_node("Attention", ["x", "x", "x"], ["y"]),
    "no operator": helper.make_node("", ["x"], ["y"]),
}


@pytest.mark.parametrize("kind", NODES)
def test_operators_that_are_not_of_the_standard(path: Path, kind: str) -> None:
    message = changed(path, files.OBSERVE, lambda model: model.graph.node.append(NODES[kind]))
    assert "which is not an operator of ONNX opset 20" in message


def test_graphs_in_graphs_are_refused(path: Path) -> None:
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("a"), else_branch=branch("b"))
    message = changed(path, files.PREDICT, lambda model: model.graph.node.append(node))
    assert "with a subgraph, which is not allowed" in message


def test_functions_and_training_are_refused(path: Path) -> None:
    def add_function(model: onnx.ModelProto) -> None:
        opset = [helper.make_opsetid("", 20)]
        model.functions.append(helper.make_function("own", "Relu", ["x"], ["x"], [], opset))

    original = (path / files.PREDICT).read_bytes()
    for change in (add_function, lambda model: model.training_info.add()):
        assert "functions" in changed(path, files.PREDICT, change)
        replace_file(path, files.PREDICT, original)


def test_one_name_for_two_arrays(path: Path) -> None:
    def twice(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(model.graph.initializer[0])

    assert "uses one name for several" in changed(path, files.COMPENSATE, twice)


def test_an_input_with_a_value_of_its_own(path: Path) -> None:
    def preset(model: onnx.ModelProto) -> None:
        image = np.zeros((1, 8, 6, 1), np.uint8)
        model.graph.initializer.append(numpy_helper.from_array(image, "image"))

    assert "uses one name for several" in changed(path, files.PREDICT, preset)


@pytest.mark.parametrize("dims", [[2**40], [3]])
def test_arrays_that_are_not_what_they_claim(path: Path, dims: list[int]) -> None:
    def claim(model: onnx.ModelProto) -> None:
        tensor = TensorProto(
            name="claim", data_type=TensorProto.INT64, dims=dims, raw_data=b"12345678"
        )
        model.graph.initializer.append(tensor)

    assert "'claim' is not an array" in changed(path, files.PREDICT, claim)


@pytest.mark.parametrize("name", [files.PREDICT, files.OBSERVE, files.COMPENSATE])
def test_a_missing_node_is_seen(path: Path, name: str) -> None:
    assert "is not a valid graph" in changed(path, name, lambda model: model.graph.node.pop(0))


def test_a_later_format_is_refused(path: Path) -> None:
    def age(model: onnx.ModelProto) -> None:
        model.ir_version = onnx.IR_VERSION + 1

    assert "has ONNX IR version" in changed(path, files.PREDICT, age)


def test_names_that_are_not_utf8(path: Path) -> None:
    content = (path / files.PREDICT).read_bytes()
    replace_file(path, files.PREDICT, content.replace(b"Conv", b"Con\xff"))
    assert refusal(path) == "predict.onnx is not an ONNX graph: its 'op_type' is not UTF-8"


@pytest.mark.parametrize(
    ("weight", "words"),
    [(np.zeros((4, 1)), "float64 (4, 1)"), (np.zeros((4, 0), np.float32), "float32 (4, 0)")],
)
def test_a_site_whose_array_cannot_be_refolded(
    path: Path, weight: NDArray[np.floating], words: str
) -> None:
    sites = json.loads((path / files.MANIFEST).read_text())["sites"]
    sites[0]["weight"] = "own"
    edited(path, sites=sites)
    for name in (files.PREDICT_WEIGHTS, files.BASE):
        replace_arrays(path, name, own=weight)
    model = onnx.load_model_from_string((path / files.PREDICT).read_bytes())
    tensor = model.graph.initializer.add(name="own", dims=weight.shape)
    tensor.data_type = helper.np_dtype_to_tensor_dtype(weight.dtype)
    tensor.data_location = TensorProto.EXTERNAL
    model.graph.node.insert(0, helper.make_node("Shape", ["own"], ["its_shape"]))
    replace_file(path, files.PREDICT, model.SerializeToString())
    assert refusal(path) == f"predict.safetensors: 'own' must hold float32 values, not {words}"


def test_an_array_that_no_node_takes(path: Path) -> None:
    def orphan(model: onnx.ModelProto) -> None:
        model.graph.initializer.add().CopyFrom(first_external(model))
        model.graph.initializer[-1].name = "orphan"

    message = changed(path, files.PREDICT, orphan)
    assert message == "predict.onnx holds 'orphan', which none of its nodes uses"
