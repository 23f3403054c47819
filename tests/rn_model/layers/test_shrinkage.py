"""How far the moments of few images are trusted."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rn_model.layers.moments import Moments
from rn_model.layers.shrinkage import ASSUMED, shrink

SPREAD = torch.tensor([ASSUMED.mean, ASSUMED.square], dtype=torch.float64)
EPS = 1e-5


def moments(seed: int, channels: int = 6, shift: float = 0.0) -> Moments:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(channels, generator=generator, dtype=torch.float64) + shift
    return Moments(mean, 0.2 + torch.rand(channels, generator=generator, dtype=torch.float64))


def weigh(raw: Moments, count: float, base: Moments, spread: Tensor = SPREAD) -> Moments:
    return shrink(raw, torch.tensor(count, dtype=torch.float64), base, spread, EPS)


@given(st.integers(0, 10**6))
def test_no_images_give_exactly_the_base(seed: int) -> None:
    base = moments(seed)
    for raw in (moments(seed + 1), Moments(torch.full((6,), 1e30), torch.full((6,), 1e30))):
        found = weigh(Moments(*(m.double() for m in raw)), 0.0, base)
        assert torch.equal(found.mean, base.mean) and torch.equal(found.variance, base.variance)


@given(st.integers(0, 10**6), st.floats(0.1, 1e6))
def test_the_base_itself_is_never_left(seed: int, count: float) -> None:
    base = moments(seed)
    found = weigh(base, count, base)
    assert torch.equal(found.mean, base.mean)
    torch.testing.assert_close(found.variance, base.variance, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 10**6), st.floats(0.5, 1e5))
def test_means_lie_between_and_variances_are_not_negative(seed: int, count: float) -> None:
    base, raw = moments(seed), moments(seed + 1, shift=1.0)
    found = weigh(raw, count, base)
    low, high = torch.minimum(base.mean, raw.mean), torch.maximum(base.mean, raw.mean)
    assert ((found.mean >= low - 1e-9) & (found.mean <= high + 1e-9)).all()
    assert (found.variance >= 0).all()


@given(st.integers(0, 10**6))
def test_more_images_are_trusted_more(seed: int) -> None:
    base, raw = moments(seed), moments(seed + 1, shift=2.0)
    distances = [
        float((weigh(raw, count, base).mean - raw.mean).abs().sum())
        for count in (1, 4, 16, 64, 1e9)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.1 * float((base.mean - raw.mean).abs().sum())


def test_a_small_shift_is_not_followed_and_a_large_one_is() -> None:
    base = Moments(torch.zeros(8).double(), torch.ones(8).double())
    followed = [
        float(weigh(Moments(base.mean + shift, base.variance), 64, base).mean.mean()) / shift
        for shift in (0.05, 0.3, 1.0, 3.0)
    ]
    assert followed == sorted(followed)
    assert followed[0] < 0.05 and followed[-1] > 0.95


@given(st.integers(0, 10**6), st.floats(0.1, 10), st.floats(-5, 5))
def test_units_do_not_matter(seed: int, scale: float, offset: float) -> None:
    base, raw = moments(seed), moments(seed + 1, shift=1.0)

    def moved(m: Moments) -> Moments:
        return Moments(scale * m.mean + offset, scale**2 * m.variance)

    plain = moved(shrink(raw, torch.tensor(9.0).double(), base, SPREAD, 0.0))
    found = shrink(moved(raw), torch.tensor(9.0).double(), moved(base), SPREAD, 0.0)
    torch.testing.assert_close(found.mean, plain.mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.variance, plain.variance, rtol=1e-6, atol=1e-6)
