"""Which layer a site is folded into, and that the folded graph computes the same as before."""

import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.errors import ExportError
from export.folding.folded_graph import fold_graph
from tests.export.pieces import AFTER, Piece, after, before, check, norm, place

X = (3, 4, 5, 5)
CONV = Piece(f"c = Conv(x, w, b) {AFTER}", X, {"a": 2}, {"w": (2, 4, 1, 1), "b": (2,)})


V, W, BIAS = (2, 4, 1), (2, 4, 1, 1), {"b": (2,)}
LAYERS: dict[str, tuple[Piece, tuple[str, int, int] | None]] = {
    "1d": (after("c = Conv(x, w, b)", X[:3], {"w": V, **BIAS}), ("output", 0, 1)),
    "2d": (CONV, ("output", 0, 1)),
    "3d": (after("c = Conv(x, w, b)", (*X, 2), {"w": (*W, 1), **BIAS}), ("output", 0, 1)),
    "padded": (
        after("c = Conv <pads = [1, 1, 1, 1]> (x, w, b)", X, {"w": (2, 4, 3, 3), **BIAS}),
        ("output", 0, 1),
    ),
    "grouped": (
        after("c = Conv <group = 2> (x, w, b)", X, {"w": (2, 2, 1, 1), **BIAS}),
        ("output", 0, 1),
    ),
    "without bias": (after("c = Conv(x, w)", X, {"w": W}), ("output", 0, 1)),
    "transposed 1d": (
        after("c = ConvTranspose(x, w, b)", X[:3], {"w": (4, 2, 3), **BIAS}),
        ("output", 1, 1),
    ),
    "transposed": (
        after("c = ConvTranspose(x, w, b)", X, {"w": (4, 2, 2, 2), **BIAS}),
        ("output", 1, 1),
    ),
    "transposed in groups": (
        after("c = ConvTranspose <group = 2> (x, w)", X, {"w": (4, 3, 2, 2)}, channels=6),
        ("output", 1, 2),
    ),
    "linear": (
        after("c = Gemm <transB = 1> (x, w, b)", X[:2], {"w": (2, 4), **BIAS}),
        ("output", 0, 1),
    ),
    "linear, not transposed": (
        after("c = Gemm(x, w, b)", X[:2], {"w": (4, 2), **BIAS}),
        ("output", 1, 1),
    ),
    "linear with a factor": (
        after("c = Gemm <alpha = 0.5> (x, w, b)", X[:2], {"w": (4, 2), **BIAS}),
        None,
    ),
    "bias with a factor": (
        after("c = Gemm <beta = 2.0> (x, w, b)", X[:2], {"w": (4, 2), **BIAS}),
        None,
    ),
    "one bias for all": (
        after("c = Gemm(x, w, b)", X[:2], {"w": (4, 2), "b": (1,)}),
        None,
    ),
    "product": (after("c = MatMul(x, w)", X[:2], {"w": (4, 2)}), ("output", 1, 1)),
    "tokens": (
        after(
            "p = MatMul(x, w) d = Add(p, b) c = Transpose <perm = [0, 2, 1]> (d)",
            (3, 5, 4),
            {"w": (4, 2), **BIAS},
        ),
        ("output", 1, 1),
    ),
    "tokens without bias": (
        after("p = MatMul(x, w) c = Transpose <perm = [0, 2, 1]> (p)", (3, 5, 4), {"w": (4, 2)}),
        ("output", 1, 1),
    ),
    "flattened tokens": (
        after(
            "p = MatMul(x, w) d = Add(b, p) s = Constant <value_ints = [-1, 2]> () c = Reshape(d, s)",
            (3, 5, 4),
            {"w": (4, 2), **BIAS},
            rank=2,
        ),
        ("output", 1, 1),
    ),
    "tokens as channels": (
        after("c = MatMul(x, w)", (3, 2, 4), {"w": (4, 2)}),
        None,
    ),
    "a product with a sum of another shape": (
        after("p = MatMul(x, w) c = Add(p, b)", X[:2], {"w": (4, 2), "b": (3, 2)}),
        None,
    ),
    "pooled": (
        after("p = Conv(x, w) c = Flatten(p)", (3, 4, 1, 1), {"w": W}, rank=2),
        ("output", 0, 1),
    ),
    "mixed by a reshape": (
        after(
            "p = Conv(x, w) s = Constant <value_ints = [3, 2, 10]> () c = Reshape(p, s)",
            (3, 4, 2, 5),
            {"w": (2, 4, 1, 1)},
            rank=3,
        ),
        ("output", 0, 1),
    ),
    "divided by a reshape": (
        after(
            "p = Conv(x, w) s = Constant <value_ints = [3, 2, 20]> () c = Reshape(p, s)",
            (3, 4, 2, 5),
            {"w": (4, 4, 1, 1)},
            rank=3,
        ),
        None,
    ),
    "of another division by a reshape": (
        after(
            "p = Conv(x, w) s = Constant <value_ints = [3, 2, 10]> () c = Reshape(p, s)",
            (6, 4, 5),
            {"w": V},
        ),
        None,
    ),
    "along another axis": (
        after(
            "p = Conv(x, w) c = Transpose <perm = [0, 2, 1, 3]> (p)",
            X,
            {"w": (5, 4, 1, 1)},
            channels=5,
        ),
        None,
    ),
    "after an activation": (after("r = Conv(x, w, b) c = Relu(r)", X, {"w": W, **BIAS}), None),
    "computed weight": (after("a = Abs(w) c = Conv(x, a, b)", X, {"w": W, **BIAS}), None),
    "layer seen by others": (
        Piece(f"c = Conv(x, w) {norm('a', 'c', 'n')} y = Add(n, c)", X, {"a": 2}, {"w": W}),
        None,
    ),
    "weight used twice": (
        Piece(
            f"c = Conv(x, w) {norm('a', 'c', 'n')} k = Conv(x, w) y = Add(n, k)",
            X,
            {"a": 2},
            {"w": W},
        ),
        ("output", 0, 1),
    ),
    "before 1d": (before("y = Conv(n, w, b)", X[:3], {"w": (2, 4, 3), **BIAS}), ("input", 1, 1)),
    "before": (before("y = Conv(n, w, b)", X, {"w": (2, 4, 3, 3), **BIAS}), ("input", 1, 1)),
    "before, without bias": (before("y = Conv(n, w)", X, {"w": W}), ("input", 1, 1)),
    "before 3d": (
        before("y = Conv <strides = [2, 1, 1]> (n, w)", (*X, 2), {"w": (2, 4, 1, 3, 2)}),
        ("input", 1, 1),
    ),
    "before, in groups": (
        before("y = Conv <group = 2> (n, w, b)", X, {"w": (6, 2, 2, 2), "b": (6,)}),
        ("input", 1, 2),
    ),
    "before, depthwise": (
        before("y = Conv <group = 4> (n, w)", X, {"w": (8, 1, 3, 3)}),
        ("input", 1, 4),
    ),
    "before, padded": (
        before("y = Conv <pads = [0, 0, 1, 0]> (n, w)", X, {"w": (2, 4, 3, 3)}),
        None,
    ),
    "before, padded as needed": (
        before('y = Conv <auto_pad = "SAME_UPPER"> (n, w)', X, {"w": (2, 4, 3, 3)}),
        None,
    ),
    "before, transposed": (before("y = ConvTranspose(n, w)", X, {"w": (4, 2, 2, 2)}), None),
    "before, after an activation": (before("r = Relu(n) y = Conv(r, w)", X, {"w": W}), None),
    "before two": (
        before("k = Conv(n, w) l = Conv(n, v) y = Add(k, l)", X, {"w": W, "v": W}),
        None,
    ),
    "before linear": (
        before("y = Gemm <transB = 1> (n, w, b)", X[:2], {"w": (2, 4), **BIAS}),
        ("input", 1, 1),
    ),
    "before linear, not transposed": (
        before("y = Gemm(n, w)", X[:2], {"w": (4, 2)}),
        ("input", 0, 1),
    ),
    "before a product": (before("y = MatMul(n, w)", X[:2], {"w": (4, 2)}), ("input", 0, 1)),
    "before a product with bias": (
        before("p = MatMul(n, w) y = Add(p, b)", X[:2], {"w": (4, 2), **BIAS}),
        ("input", 0, 1),
    ),
    "as a weight": (before("y = MatMul(w, n)", (3, 4), {"w": (2, 3)}), None),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_folding_keeps_what_the_graph_computes(kind: str) -> None:
    piece, expected = LAYERS[kind]
    found = check(piece)
    assert place(found["a"]) == expected
    graph = piece.fold()[0].graph
    assert ("Mul" in {node.op_type for node in graph}) == (expected is None)


def test_a_product_keeps_one_addition() -> None:
    graph = LAYERS["before a product with bias"][0].fold()[0].graph
    assert [node.op_type for node in graph] == ["MatMul", "Add"]


SQUARE = {"v": (2, 2, 1, 1), "u": (2, 2, 1, 1)}


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        # Two in a row: the layer before takes the first, the layer after the second.
        (f"{norm('a', 'k', 'm')} {norm('b', 'm', 'n')} y = Conv(n, v)", ("output", "input")),
        (f"{norm('a', 'k', 'm')} {norm('b', 'm', 'n')} y = Relu(n)", ("output", "")),
        # One on each side of a layer: the site after it is folded into it.
        (
            f"r = Relu(k) {norm('a', 'r', 'm')} c = Conv(m, v) {norm('b', 'c', 'y')}",
            ("", "output"),
        ),
        # A site is folded into the layer before it even if the layer after it would do.
        (f"{norm('a', 'k', 'm')} c = Conv(m, v) {norm('b', 'c', 'y')}", ("output", "output")),
        # A weight used by two layers is copied for the layer that a site is folded into.
        (
            f"{norm('a', 'k', 'm')} c = Conv(m, v) {norm('b', 'c', 'd')} e = Conv(d, v) y = Add(e, c)",
            ("output", "input"),
        ),
        # Sums and concatenations have no layer of their own.
        (f"r = Relu(k) s = Add(r, k) {norm('a', 's', 'n')} {norm('b', 'k', 'm')} y = Add(n, m)", ("", "")),
    ],
)  # fmt: skip
def test_sites_beside_one_another(nodes: str, expected: tuple[str, str]) -> None:
    arrays = {"w": (2, 4, 1, 1), **SQUARE}
    found = check(Piece(f"k = Conv(x, w) {nodes}", X, {"a": 2, "b": 2}, arrays))
    assert tuple(site.side if site.folded else "" for site in found.values()) == expected
    names = [name for site in found.values() for name in site.arrays]
    assert len(set(names)) == len(names)


def test_an_output_of_the_graph_is_not_folded_away() -> None:
    model = CONV.model()
    node = next(node for node in model.graph if node.op_type == "Conv")
    model.graph.outputs.append(node.outputs[0])
    _, scale, shift = model.graph.inputs
    table, _ = fold_graph(model, CONV.sites(), [scale], [shift])
    assert not table[0].folded


@pytest.mark.parametrize("extra", ["y = Add(n, scale_a)", "y = Mul(n, scale_a)"])
def test_a_site_that_is_applied_twice_is_refused(extra: str) -> None:
    piece = Piece(f"{norm('a', 'x', 'n')} {extra}", X, {"a": 4})
    with pytest.raises(ExportError, match="does not apply the scale and shift of 'a' exactly once"):
        piece.fold()


def test_a_scale_and_a_shift_in_different_places_are_refused() -> None:
    piece = Piece("m = Mul(x, scale_a) n = Add(x, shift_a) y = Add(m, n)", X, {"a": 4})
    with pytest.raises(ExportError, match="does not apply the scale and shift of 'a' exactly once"):
        piece.fold()


@st.composite
def chains(draw: st.DrawFn) -> Piece:
    """A chain of convolutions, with sites and activations anywhere between them."""
    nodes, arrays, sites, value, channels = "", {}, {}, "x", 4
    for number in range(draw(st.integers(1, 5))):
        what = draw(
            st.sampled_from(
                ["conv", "depthwise", "transposed", "relu", "sum", "pool", *["norm"] * 4]
            )
        )
        new, name = f"v{number}", f"w{number}"
        if what == "norm":
            sites[f"s{number}"] = channels
            nodes += norm(f"s{number}", value, new) + " "
        elif what == "relu":
            nodes += f"{new} = Relu({value}) "
        elif what == "pool":
            pad, counted = draw(st.integers(0, 1)), draw(st.integers(0, 1))
            nodes += (
                f"{new} = AveragePool <kernel_shape = [3, 3], strides = [1, 1], count_include_pad ="
                f" {counted}, pads = [1, {pad}, 1, 1]> ({value}) "
            )
        elif what == "sum":
            nodes += f"{new}r = Relu({value}) {new} = Add({value}, {new}r) "
        else:
            groups = channels if what == "depthwise" else draw(st.sampled_from([1, 2]))
            pad = draw(st.integers(0, 1))
            attributes = f"<group = {groups}, pads = [{', '.join([str(pad)] * 4)}]>"
            width = draw(st.sampled_from([2, 4])) * (groups if what == "depthwise" else 1)
            transposed = what == "transposed"
            shape = (channels, width // groups) if transposed else (width, channels // groups)
            arrays[name] = (*shape, *([3, 3] if pad else [1, 1]))
            kind = "ConvTranspose" if transposed else "Conv"
            nodes += f"{new} = {kind} {attributes} ({value}, {name}) "
            channels = width
        value = new
    return Piece(f"{nodes} y = Identity({value})", (2, 4, 3, 3), sites, arrays)


@settings(max_examples=150)
@given(piece=chains(), seed=st.integers(0, 2**16))
def test_any_chain_is_folded_exactly(piece: Piece, seed: int) -> None:
    found = check(piece, seed)
    kept = sum(not site.folded for site in found.values())
    assert sum(node.op_type == "Mul" for node in ir.Graph.all_nodes(piece.fold()[0].graph)) == kept
