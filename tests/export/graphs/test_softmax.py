import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.graphs.editing import make_value
from export.graphs.softmax import narrow_softmax


def _softmax_graph(dtype: ir.DataType) -> ir.Model:
    scores = make_value("scores", dtype, ["B", "M", "N"])
    node = ir.node("Softmax", [scores], {"axis": -1}, name="softmax")
    node.outputs[0].name = "weights"
    node.outputs[0].type = ir.TensorType(dtype)
    graph = ir.Graph([scores], node.outputs, nodes=[node], opset_imports={"": 20}, name="g")
    return ir.Model(graph, ir_version=10)


def _run(model: ir.Model, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    content = ir.serde.serialize_model(model).SerializeToString()
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    weights: NDArray[np.float64] = session.run(["weights"], {"scores": scores})[0]
    return weights


@pytest.fixture(scope="module")
def narrowed() -> ir.Model:
    model = _softmax_graph(ir.DataType.DOUBLE)
    narrow_softmax(model.graph)
    return model


@given(st.integers(0, 2**31), st.sampled_from([1e-3, 1.0, 30.0]), st.floats(-1e6, 1e6))
def test_the_weights_keep_their_digits_wherever_the_scores_lie(
    narrowed: ir.Model, seed: int, spread: float, offset: float
) -> None:
    scores = offset + spread * np.random.default_rng(seed).normal(size=(2, 3, 17))
    exact = np.exp(scores - scores.max(axis=-1, keepdims=True))
    exact /= exact.sum(axis=-1, keepdims=True)
    found = _run(narrowed, scores)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-9)
    counting = exact > 1e-3
    np.testing.assert_allclose(found[counting], exact[counting], rtol=2e-6)


def test_no_exponential_of_float64_is_left(narrowed: ir.Model) -> None:
    (node,) = (node for node in narrowed.graph if node.op_type == "Softmax")
    assert node.inputs[0] is not None and node.inputs[0].producer() is not None
    producer = node.inputs[0].producer()
    assert producer is not None and producer.op_type == "Cast"


def test_a_softmax_of_float32_stays_as_it_is() -> None:
    model = _softmax_graph(ir.DataType.FLOAT)
    narrow_softmax(model.graph)
    assert [node.op_type for node in model.graph] == ["Softmax"]
