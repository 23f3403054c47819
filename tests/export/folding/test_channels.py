"""Operators between a site and the layer that it is folded into."""

import pytest

from tests.export.pieces import Piece, after, before, check, place

X = (3, 4, 5, 5)
W, BIAS = (2, 4, 1, 1), {"b": (2,)}
BETWEEN: dict[str, tuple[Piece, tuple[str, int, int] | None]] = {
    "pooled by averages": (
        after("p = Conv(x, w, b) c = AveragePool <kernel_shape = [2, 2]> (p)", X, {"w": W, **BIAS}),
        ("output", 0, 1),
    ),
    "pooled by averages with a border": (
        after(
            "p = Conv(x, w) c = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 1, 1],"
            " count_include_pad = 1> (p)",
            X,
            {"w": W},
        ),
        None,
    ),
    "pooled by averages beyond the border": (
        after(
            "p = Conv(x, w) c = AveragePool <kernel_shape = [2, 2], ceil_mode = 1> (p)", X, {"w": W}
        ),
        None,
    ),
    "pooled by the largest": (
        after("p = Conv(x, w) c = MaxPool <kernel_shape = [2, 2]> (p)", X, {"w": W}),
        None,
    ),
    "averaged": (
        after(
            "p = Conv(x, w) a = Constant <value_ints = [-1, -2]> ()"
            " c = ReduceMean <keepdims = 0> (p, a)",
            X,
            {"w": W},
            rank=2,
        ),
        ("output", 0, 1),
    ),
    "averaged, sides kept": (
        after(
            "p = ConvTranspose(x, w) a = Constant <value_ints = [2, 3]> () c = ReduceMean(p, a)",
            X,
            {"w": (4, 2, 2, 2)},
        ),
        ("output", 1, 1),
    ),
    "averaged over channels": (
        after(
            "p = Conv(x, w) a = Constant <value_ints = [1]> () c = ReduceMean <keepdims = 0> (p, a)",
            (3, 4, 2, 5),
            {"w": (6, 4, 1, 1)},
            rank=3,
        ),
        None,
    ),
    "tokens averaged": (
        after(
            "p = MatMul(x, w) a = Constant <value_ints = [1]> () c = ReduceMean <keepdims = 0> (p, a)",
            (3, 5, 4),
            {"w": (4, 2)},
            rank=2,
        ),
        ("output", 1, 1),
    ),
    "before, pooled": (
        before(
            "p = GlobalAveragePool(n) f = Flatten(p) y = Gemm(f, w, b)", X, {"w": (4, 2), **BIAS}
        ),
        ("input", 0, 1),
    ),
    "before, averaged": (
        before(
            "a = Constant <value_ints = [2, 3]> () p = ReduceMean <keepdims = 0> (n, a)"
            " y = Gemm <transB = 1> (p, w)",
            X,
            {"w": (2, 4)},
        ),
        ("input", 1, 1),
    ),
    "before, averaged over channels": (
        before(
            "a = Constant <value_ints = [1]> () p = ReduceMean <keepdims = 0> (n, a) y = MatMul(p, w)",
            X[:3],
            {"w": (5, 2)},
        ),
        None,
    ),
    "before, flattened": (before("f = Flatten(n) y = Gemm(f, w)", X, {"w": (100, 2)}), None),
    "before, pooled by averages": (
        before(
            "p = AveragePool <kernel_shape = [2, 2]> (n) y = Conv <group = 2> (p, w)",
            X,
            {"w": (6, 2, 2, 2)},
        ),
        ("input", 1, 2),
    ),
    "before tokens": (
        before(
            "t = Transpose <perm = [0, 2, 1]> (n) p = MatMul(t, w) y = Add(p, b)",
            X[:3],
            {"w": (4, 2), **BIAS},
        ),
        ("input", 0, 1),
    ),
    "before tokens, another axis": (before("y = MatMul(n, w)", X[:3], {"w": (5, 2)}), None),
}


@pytest.mark.parametrize("kind", BETWEEN)
def test_what_is_between_lets_scale_and_shift_through_or_keeps_them(kind: str) -> None:
    piece, expected = BETWEEN[kind]
    found = check(piece)
    assert place(found["a"]) == expected
    graph = piece.fold()[0].graph
    assert ("Mul" in {node.op_type for node in graph}) == (expected is None)
