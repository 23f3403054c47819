"""How far the moments of few images are trusted."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rn_model.layers.moments import Moments
from rn_model.layers.shrinkage import ASSUMED, GROUPS, Relations, relations_of, shrink

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


def images_means(seed: int, channels: int, images: int = 200) -> Tensor:
    """Channel means of images that vary most along a few directions."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.logspace(0, -2, channels, dtype=torch.float64).sqrt()
    turned, _ = torch.linalg.qr(
        torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    )
    drawn = torch.randn(images, channels, generator=generator, dtype=torch.float64)
    means: Tensor = drawn * spread @ turned.T
    return means


def related(seed: int, channels: int) -> Relations:
    found = relations_of(images_means(seed, channels))
    assert found is not None
    return found


def weigh_related(raw: Moments, count: float, base: Moments, relations: Relations) -> Moments:
    images = torch.tensor(count, dtype=torch.float64)
    return shrink(raw, images, base, SPREAD, EPS, relations)


@given(st.integers(0, 10**6), st.integers(2, 80))
def test_relations_are_an_orthonormal_basis_and_all_of_the_variance(
    seed: int, channels: int
) -> None:
    means = images_means(seed, channels)
    relations = related(seed, channels)
    basis, groups, noise = relations
    size = basis.shape[1]
    assert size in [sum(GROUPS[:number]) for number in range(1, len(GROUPS) + 1)]
    assert size < channels
    torch.testing.assert_close(basis.T @ basis, torch.eye(size, dtype=torch.float64))
    assert torch.equal(groups.sum(dim=1), torch.ones(size, dtype=torch.float64))
    total = noise[:-1] @ groups.sum(dim=0) + noise[-1] * (channels - size)
    torch.testing.assert_close(total, torch.cov(means.T).diagonal().sum())
    assert (noise[:-1].diff() <= 1e-12).all()


def test_too_few_images_or_channels_have_no_relations() -> None:
    assert relations_of(images_means(0, 1)) is None
    assert relations_of(images_means(0, 8, images=2)) is None


@given(st.integers(0, 10**6), st.integers(2, 40), st.floats(0.1, 1e6))
def test_with_relations_the_base_is_kept_and_many_images_are_believed(
    seed: int, channels: int, count: float
) -> None:
    base, raw = moments(seed, channels), moments(seed + 1, channels, shift=3.0)
    relations = related(seed, channels)
    none = weigh_related(raw, 0.0, base, relations)
    assert torch.equal(none.mean, base.mean) and torch.equal(none.variance, base.variance)
    own = weigh_related(base, count, base, relations)
    assert torch.equal(own.mean, base.mean)
    # No direction is left further than it was, and the variances stay variances.
    found = weigh_related(raw, count, base, relations)
    unit = (base.variance + EPS).sqrt()
    moved, all_of_it = (((m - base.mean) / unit).square().sum() for m in (found.mean, raw.mean))
    assert moved <= all_of_it * (1 + 1e-9) and (found.variance >= 0).all()


def test_noise_is_forgiven_where_images_vary_and_believed_where_they_do_not() -> None:
    channels = 40
    base = Moments(torch.zeros(channels).double(), torch.ones(channels).double())
    relations = related(0, channels)
    along = relations.basis[:, 0]
    across = torch.linalg.svd(relations.basis.T)[2][-1]
    kept = []
    for direction in (along, across):
        raw = Moments(1.5 * direction, base.variance)
        kept.append(float(weigh_related(raw, 1.0, base, relations).mean @ direction) / 1.5)
    assert kept[0] < 0.4 and kept[1] > 0.6
