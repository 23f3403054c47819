from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from bundle import Preprocessing
from export.assembly import assemble
from export.graphs.constant_weights import compute_weights
from export.network.pixel_scaling import PixelScaling
from export.network.sites import find_sites
from rn_model import convert_normalization
from rn_model.layers.shrinkage import ASSUMED
from tests.export.pieces import Piece, norm, run
from tests.networks import shake

X = (2, 4, 3, 3)
COMPUTED = Piece(
    f"a = Abs(w) d = Mul(a, a) c = Conv(x, d) {norm('s', 'c', 'y')}",
    X,
    {"s": 200},
    {"w": (200, 4, 3, 3)},
)


class Standardized(nn.Conv2d):
    """A convolution whose weights have mean 0 and variance 1."""

    def forward(self, x: Tensor) -> Tensor:
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        deviation = self.weight.std((1, 2, 3), keepdim=True)
        y: Tensor = self._conv_forward(x, (self.weight - mean) / deviation, self.bias)
        return y


def test_a_weight_that_is_computed_becomes_an_array() -> None:
    model = COMPUTED.model()
    generator = np.random.default_rng(0)
    inputs = {"x": generator.normal(size=X).astype(np.float32)}
    for kind in ("scale_s", "shift_s"):
        inputs[kind] = generator.normal(size=(200, 1, 1)).astype(np.float32)
    expected = run(COMPUTED.model(), inputs)
    compute_weights(model)
    assert [node.op_type for node in model.graph] == ["Conv", "Mul", "Add"]
    np.testing.assert_allclose(run(model, inputs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "piece",
    [
        Piece("t = Transpose <perm = [1, 0]> (x) p = MatMul(x, t) y = Add(p, b)", (3, 3), {}, {"b": (3,)}),
        Piece("a = Abs(x) d = Abs(b) e = Mul(a, d) y = Conv(x, e)", (2, 2, 1, 1), {}, {"b": (2, 2, 1, 1)}),
        Piece("y = Conv(x, w)", X, {}, {"w": (2, 4, 1, 1)}),
    ],
)  # fmt: skip
def test_nothing_else_is_touched(piece: Piece) -> None:
    model = piece.model()
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    compute_weights(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    "make", [lambda *sizes: weight_norm(nn.Conv2d(*sizes)), Standardized], ids=["norm", "standard"]
)
def test_sites_are_folded_into_layers_with_computed_weights(make: Callable[..., nn.Module]) -> None:
    # Larger than what the tracer folds.
    network = nn.Sequential(make(3, 40, 5), nn.BatchNorm2d(40), nn.ReLU(), make(40, 30, 4))
    model = nn.Sequential(network, nn.BatchNorm2d(30), nn.Flatten(), nn.Linear(30, 2)).eval()
    convert_normalization(model).requires_grad_(False)
    shake(model)
    scaling = PixelScaling(
        Preprocessing(mode="RGB", height=8, width=8, mean=(0.5,) * 3, std=(0.2,) * 3)
    )
    example = torch.zeros((2, 8, 8, 3), dtype=torch.uint8)
    sites = find_sites(model, scaling(example))
    parts = assemble(model, sites, scaling, example, [ASSUMED] * len(sites))
    assert all(site.folded for site in parts.table)
