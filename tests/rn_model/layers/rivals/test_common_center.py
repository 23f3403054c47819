import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rn_model.layers import AdaptiveBatchNorm, CommonCenterNorm
from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domain_split import domain_split

seeds = st.integers(0, 2**16)


def _batch(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    source = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    target = torch.randn(24, 3, generator=generator, dtype=torch.float64)
    return 2 * source - 1, 0.3 * target + torch.tensor([0.0, 3.0, -5.0], dtype=torch.float64)


def _normalized(layer: DomainNorm, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad(), domain_split(layer, source=len(source), target=len(target)):
        y = layer(torch.cat([source, target]))
    return y[: len(source)], y[len(source) :]


@given(seed=seeds, alpha=st.floats(0.5, 1))
def test_the_mean_square_of_each_domain_is_1(seed: int, alpha: float) -> None:
    layer = CommonCenterNorm(3, eps=0.0, dtype=torch.float64)
    torch.nn.init.constant_(layer.alpha, alpha)
    for part in _normalized(layer, *_batch(seed)):
        torch.testing.assert_close(part.square().mean(dim=0), torch.ones(3, dtype=torch.float64))


@given(seed=seeds)
def test_it_begins_with_one_centre_and_ends_with_two(seed: int) -> None:
    source, target = _batch(seed)
    layer = CommonCenterNorm(3, eps=0.0, dtype=torch.float64)
    middle = (source.mean(dim=0) + target.mean(dim=0)) / 2
    found = _normalized(layer, source, target)
    for part, x in zip(found, (source, target), strict=True):
        torch.testing.assert_close(part, (x - middle) / (x - middle).square().mean(dim=0).sqrt())
    torch.nn.init.ones_(layer.alpha)
    own = _normalized(AdaptiveBatchNorm(3, eps=0.0, dtype=torch.float64), source, target)
    for part, expected in zip(_normalized(layer, source, target), own, strict=True):
        torch.testing.assert_close(part, expected)


def test_a_domain_of_low_contrast_is_as_large_as_the_other() -> None:
    source, _ = _batch(0)
    large = _normalized(CommonCenterNorm(3, dtype=torch.float64), source, source)[1]
    center = source.mean(dim=0)
    low = _normalized(
        CommonCenterNorm(3, dtype=torch.float64), source, 0.1 * (source - center) + center
    )[1]
    torch.testing.assert_close(low, large, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_its_share_has_the_type_of_the_moments(dtype: torch.dtype) -> None:
    assert CommonCenterNorm(2, dtype=dtype).alpha.dtype == dtype
