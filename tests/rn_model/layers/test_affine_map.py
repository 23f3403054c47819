import pytest
import torch

from rn_model.layers.affine_map import standardization
from rn_model.layers.moments import Moments


@pytest.mark.parametrize("affine", [True, False])
def test_a_standardization_is_the_equation_and_folds(affine: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    mean, variance, weight, bias = torch.rand(4, 5, generator=generator, dtype=torch.float64)
    gamma, beta = (weight, bias) if affine else (None, None)
    x = torch.randn(7, 5, 2, 3, generator=generator, dtype=torch.float64)
    found = standardization(Moments(mean, variance), gamma, beta, 1e-3)

    mean, variance, weight, bias = (v.view(1, -1, 1, 1) for v in (mean, variance, weight, bias))
    expected = (x - mean) / (variance + 1e-3).sqrt()
    expected = expected * weight + bias if affine else expected
    torch.testing.assert_close(found(x), expected)
    scale, shift = (v.view(1, -1, 1, 1) for v in found.fold())
    torch.testing.assert_close(scale * x + shift, expected)


def test_digits_are_kept_where_the_mean_is_large() -> None:
    x = torch.randn(64, 1, generator=torch.Generator().manual_seed(0)) + 30_000
    moments = Moments(torch.tensor([30_000.0]), torch.tensor([1.3]))
    exact = standardization(Moments(*(v.double() for v in moments)), None, None, 1e-5)(x.double())
    assert (standardization(moments, None, None, 1e-5)(x) - exact).abs().max() < 1e-5
