import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rn_model.layers.moments import Moments, batch_moments, merge_moments, weighted_moments

Shape = tuple[int, ...]
shapes = st.sampled_from([(), (3,), (2, 3), (2, 1, 2)])
seeds = st.integers(0, 2**16)


def activations(images: int, trailing: Shape, seed: int, channels: int = 3) -> Tensor:
    generator = np.random.default_rng(seed)
    values = generator.normal(generator.normal(0, 5), 2, (images, channels, *trailing))
    return torch.from_numpy(values)


def numpy_moments(x: Tensor, correction: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = np.moveaxis(x.numpy(), 1, 0).reshape(x.shape[1], -1)
    return rows.mean(axis=1), rows.var(axis=1, ddof=correction)


def assert_same(found: Moments, mean: ArrayLike, variance: ArrayLike, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(found.mean.numpy(), np.asarray(mean), rtol, atol=1e-9)
    np.testing.assert_allclose(found.variance.numpy(), np.asarray(variance), rtol, atol=1e-9)


@given(images=st.integers(1, 6), trailing=shapes, seed=seeds)
def test_batch_moments(images: int, trailing: Shape, seed: int) -> None:
    x = activations(images, trailing, seed)
    assert_same(batch_moments(x), *numpy_moments(x, 0))
    if x.dim() == 4:
        assert_same(
            batch_moments(x.contiguous(memory_format=torch.channels_last)), *numpy_moments(x, 0)
        )
    assert_same(batch_moments(x.mT if x.dim() > 3 else x), *numpy_moments(x, 0))


@given(weights=st.lists(st.integers(0, 3), min_size=1, max_size=6), trailing=shapes, seed=seeds)
def test_an_image_counts_as_often_as_its_weight_says(
    weights: list[int], trailing: Shape, seed: int
) -> None:
    x = activations(len(weights), trailing, seed)
    found = weighted_moments(x, torch.tensor(weights, dtype=torch.float64))
    if not any(weights):
        assert_same(found, np.zeros(3), np.zeros(3))
    else:
        repeated = x.repeat_interleave(torch.tensor(weights), dim=0)
        assert_same(found, *numpy_moments(repeated, 0))


def test_weighted_moments_keep_their_digits_far_from_zero() -> None:
    x = (activations(64, (8, 8), 0).float() + 1000).contiguous()
    mean, variance = numpy_moments(x.double(), 0)
    assert_same(weighted_moments(x, torch.ones(64)), mean, variance, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_moments_of_half_precision_are_taken_in_float32(dtype: torch.dtype) -> None:
    x = torch.full((4, 1, 100), 300.0, dtype=dtype)
    x[0] = 0
    for found in (batch_moments(x), weighted_moments(x, torch.ones(4))):
        assert found.mean.dtype == found.variance.dtype == torch.float32
        assert_same(found, [225.0], [16875.0], rtol=1e-5)  # squares of 300 overflow float16


@given(sizes=st.tuples(*[st.integers(1, 7)] * 2), trailing=shapes, seed=seeds)
def test_merging_gives_the_moments_of_the_union(
    sizes: tuple[int, int], trailing: Shape, seed: int
) -> None:
    one, two = (activations(size, trailing, seed + i) for i, size in enumerate(sizes))
    merged = merge_moments(batch_moments(one), sizes[0], batch_moments(two), sizes[1])
    assert_same(merged, *numpy_moments(torch.cat([one, two]), 0))


counts = st.floats(0.1, 1e4)


@given(counts=st.tuples(counts, counts, counts), seed=seeds)
def test_merging_is_associative(counts: tuple[float, float, float], seed: int) -> None:
    parts = [batch_moments(activations(5, (), seed + i)) for i in range(3)]
    a, b, c = counts
    left = merge_moments(merge_moments(parts[0], a, parts[1], b), a + b, parts[2], c)
    right = merge_moments(parts[0], a, merge_moments(parts[1], b, parts[2], c), b + c)
    assert_same(left, right.mean.numpy(), right.variance.numpy())


@given(count=counts, seed=seeds)
def test_an_infinite_prior_is_kept_and_an_empty_one_dropped(count: float, seed: int) -> None:
    prior, batch = (batch_moments(activations(5, (), seed + i).float() * 10**i) for i in (3, 0))
    for kept, prior_count in ((prior, float("inf")), (prior, 1e30), (batch, 0.0)):
        merged = merge_moments(prior, prior_count, batch, count)
        assert torch.equal(merged.mean, kept.mean)
        assert torch.equal(merged.variance, kept.variance)
    both_empty = merge_moments(prior, 0.0, batch, 0.0)
    assert torch.equal(both_empty.mean, prior.mean)
    assert torch.equal(both_empty.variance, prior.variance)


def test_merging_is_differentiable() -> None:
    values = [torch.rand(3, dtype=torch.float64, requires_grad=True) for _ in range(4)]

    def merge(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, ...]:
        return merge_moments(Moments(a, b), 3.0, Moments(c, d), 2.0)

    assert torch.autograd.gradcheck(merge, values)
