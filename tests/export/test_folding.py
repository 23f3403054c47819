import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray

from bundle.fold import fold_sites
from bundle.runtime import make_session
from export.externalize import float_initializers
from export.folding import fold_graph
from export.sites import ExportError, NormSite
from rn_model import ReciprocalNorm1d, ReciprocalNorm2d

# Layer of 2 output channels -> whether it takes up the site, and the axis of its output channels.
Layer = tuple[str, list[int]]
CONV: Layer = ("c = Conv(x, w, b)", [2, 4, 1, 1])
LAYERS: dict[str, tuple[Layer, bool, int]] = {
    "convolution": (CONV, True, 0),
    "in groups": (("c = Conv <group = 2> (x, w, b)", [2, 2, 1, 1]), True, 0),
    "transposed": (("c = ConvTranspose(x, w, b)", [4, 2, 1, 1]), True, 1),
    "transposed in groups": (("c = ConvTranspose <group = 2> (x, w, b)", [4, 1, 1, 1]), False, 0),
    "without bias": (("c = Conv(x, w)", [2, 4, 1, 1]), True, 0),
    "linear": (("c = Gemm <transB = 1> (x, w, b)", [2, 4]), True, 0),
    "linear, not transposed": (("c = Gemm(x, w, b)", [4, 2]), True, 1),
    "linear with a factor": (("c = Gemm <alpha = 0.5, transB = 1> (x, w, b)", [2, 4]), False, 0),
    "bias with a factor": (("c = Gemm <beta = 2.0, transB = 1> (x, w, b)", [2, 4]), False, 0),
    "after an activation": (("r = Conv(x, w, b) c = Relu(r)", [2, 4, 1, 1]), False, 0),
    "computed weight": (("a = Abs(w) c = Conv(x, a, b)", [2, 4, 1, 1]), False, 0),
}


def model(layer: str, weight: list[int], rest: str = "y = Identity(n)") -> ir.Model:
    trailing = ", 2, 2" if len(weight) == 4 else ""
    shape = ", 1, 1" if len(weight) == 4 else ""
    size = ", ".join(map(str, weight))
    values = np.random.default_rng(0).normal(size=weight).round(3).ravel()
    text = f"""
        <ir_version: 10, opset_import: ["" : 20]>
        g (float[N, 4{trailing}] x, float[2{shape}] scale, float[2{shape}] shift) =>
        (float[N, 2{trailing}] y)
        <float[{size}] w = {{{", ".join(map(str, values))}}}, float[2] b = {{0.5, -1}}>
        {{ {layer} m = Mul(c, scale) n = Add(m, shift) {rest} }}
    """
    parsed = onnx.parser.parse_model(text)
    onnx.checker.check_model(parsed)
    return ir.from_proto(parsed)


def site(weight: list[int]) -> NormSite:
    layer = ReciprocalNorm2d(2) if len(weight) == 4 else ReciprocalNorm1d(2)
    return NormSite("norm", layer, offset=0, rank=len(weight))


def run(graph: ir.Model, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    session = make_session(ir.to_proto(graph).SerializeToString(), {}, threads=1)
    result: NDArray[np.float32] = session.run(["y"], inputs)[0]
    return result


def check(layer: str, weight: list[int], rest: str, folded: bool, axis: int) -> None:
    """Fold the site and compare with the graph that still has its scale and shift as inputs."""
    x = np.random.default_rng(1).normal(size=(3, 4, 2, 2)[: len(weight)]).astype(np.float32)
    scale, shift = np.array([2.0, -0.5]), np.array([0.25, 3.0])
    shape = (2, 1, 1) if len(weight) == 4 else (2,)
    affine = {
        "scale": scale.astype(np.float32).reshape(shape),
        "shift": shift.astype(np.float32).reshape(shape),
    }
    expected = run(model(layer, weight, rest), {"x": x, **affine})

    graph = model(layer, weight, rest)
    scales, shifts = [graph.graph.inputs[1]], [graph.graph.inputs[2]]
    table, base = fold_graph(graph, [site(weight)], scales, shifts)
    assert (table[0].folded, table[0].axis) == (folded, axis)
    assert ("Mul" in {node.op_type for node in graph.graph}) == (not folded)
    assert [value.name for value in graph.graph.inputs] == ["x"]
    arrays = fold_sites(table, {**float_initializers(graph), **base}, scale, shift)
    for name, array in arrays.items():
        graph.graph.initializers[name].const_value = ir.tensor(array, name=name)
    np.testing.assert_allclose(run(graph, {"x": x}), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_folding_keeps_what_the_graph_computes(kind: str) -> None:
    (layer, weight), folded, axis = LAYERS[kind]
    check(layer, weight, "y = Identity(n)", folded, axis)


@pytest.mark.parametrize(
    ("rest", "folded"),
    [
        ("y = Add(n, c)", False),  # the layer's output is used beside the norm
        ("k = Conv(x, w, b) y = Add(n, k)", True),  # its arrays are another layer's too
    ],
)
def test_other_users_of_the_layer_see_nothing_of_it(rest: str, folded: bool) -> None:
    check(*CONV, rest, folded, 0)


def test_an_output_of_the_graph_is_not_folded_away() -> None:
    graph = model(*CONV)
    node = next(node for node in graph.graph if node.op_type == "Conv")
    graph.graph.outputs.append(node.outputs[0])
    inputs = graph.graph.inputs
    table, _ = fold_graph(graph, [site(CONV[1])], [inputs[1]], [inputs[2]])
    assert not table[0].folded


@pytest.mark.parametrize("extra", ["y = Add(n, scale)", "y = Mul(n, scale)"])
def test_a_site_that_is_applied_twice_is_refused(extra: str) -> None:
    graph = model(*CONV, rest=extra)
    inputs = graph.graph.inputs
    with pytest.raises(ExportError, match="does not apply 'norm' once as scale and shift"):
        fold_graph(graph, [site(CONV[1])], [inputs[1]], [inputs[2]])
