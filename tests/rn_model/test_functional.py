import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rn_model.functional import (
    Similarity,
    aggregate,
    compensate,
    correlation,
    effective_moments,
    group_width,
    normalize,
    project_gate,
    scale_and_shift,
)
from rn_model.moments import Moments
from tests.rn_model import reference

# Below the first group, at it, with divisors and without (1030 = 2 * 5 * 103, 1031 is prime).
channel_counts = st.sampled_from([1, 2, 7, 64, 511, 512, 520, 1024, 1030, 1031, 1536, 2050])
seeds = st.integers(0, 2**16)


def vectors(channels: int, seed: int, count: int = 2) -> list[Tensor]:
    generator = np.random.default_rng(seed)
    return [torch.from_numpy(generator.normal(0, 2, channels)) for _ in range(count)]


@pytest.mark.parametrize(
    ("channels", "width"),
    [(1, 1), (511, 1), (512, 1), (1023, 1), (1024, 2), (1030, 2), (1031, 1), (1536, 3), (2050, 2)],
)
def test_group_width(channels: int, width: int) -> None:
    assert group_width(channels) == width == reference.width(channels)


def test_group_width_needs_a_channel() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        group_width(0)


@settings(max_examples=25, deadline=None)
@given(channels=channel_counts, seed=seeds, scale=st.sampled_from([0.1, 1.0, 30.0]))
def test_compensation(channels: int, seed: int, scale: float) -> None:
    own, other = vectors(channels, seed)
    expected = reference.compensation(own.numpy(), other.numpy(), scale)
    np.testing.assert_allclose(compensate(own, other, scale=scale).numpy(), expected, 1e-9, 1e-12)


@given(channels=st.sampled_from([1, 5, 1024]), seed=seeds)
@settings(max_examples=10, deadline=None)
def test_rows_of_the_correlation_are_probabilities(channels: int, seed: int) -> None:
    similarities: tuple[Similarity, ...] = ("squared", "absolute", "product")
    for similarity in similarities:
        rows = correlation(*vectors(channels, seed), similarity=similarity)
        assert (rows >= 0).all()
        torch.testing.assert_close(rows.sum(dim=1), torch.ones(len(rows), dtype=torch.float64))


def test_a_sharp_correlation_finds_the_nearest_channel() -> None:
    own, other = torch.tensor([0.0, 10.0, 5.1]), torch.tensor([5.0, 0.5, 9.0])
    found = compensate(own, other, scale=1e4)
    torch.testing.assert_close(found, torch.tensor([0.5, 9.0, 5.0]))


def test_an_unknown_similarity_is_refused() -> None:
    with pytest.raises(ValueError, match="'squared', 'absolute' or 'product', not 'cosine'"):
        correlation(torch.zeros(2), torch.zeros(2), similarity="cosine")  # type: ignore[arg-type]


@given(channels=st.sampled_from([3, 1030]), seed=seeds)
@settings(max_examples=10, deadline=None)
def test_effective_moments(channels: int, seed: int) -> None:
    own, other, gate_mean, gate_var = vectors(channels, seed, 4)
    gate_mean, gate_var = gate_mean.sigmoid() / 2 + 0.5, gate_var.sigmoid() / 2 + 0.5
    own_var, other_var = own.square() + 0.1, other.square() + 0.1
    found = effective_moments(Moments(own, own_var), Moments(other, other_var), gate_mean, gate_var)
    for result, mine, theirs, gate in (
        (found.mean, own, other, gate_mean),
        (found.variance, own_var, other_var, gate_var),
    ):
        expected = reference.aggregation(mine.numpy(), theirs.numpy(), gate.numpy())
        np.testing.assert_allclose(result.numpy(), expected, 1e-9, 1e-12)


@pytest.mark.parametrize("gate", [-1e8, -3.0, 0.2, 0.5, 0.77, 1.0, 1.7, 1e8])
def test_a_gate_acts_as_its_nearest_value_in_range(gate: float) -> None:
    raw = torch.full((2,), gate, requires_grad=True)
    inside = project_gate(raw)
    assert torch.equal(inside, raw.detach().clamp(0.5, 1.0))
    (gradient,) = torch.autograd.grad(inside.sum(), raw)
    assert torch.equal(gradient, torch.ones(2))
    own, other = torch.tensor([1e-3, 2.0]), torch.tensor([50.0, 7.0])
    assert (aggregate(own, compensate(own, other), raw) > 0).all()


def test_a_gate_of_one_leaves_the_moment_as_it_is() -> None:
    own, other = (v.float() for v in vectors(64, 0))
    assert torch.equal(aggregate(own, compensate(own, other), torch.ones(64)), own)


def test_gradients() -> None:
    own, other, gate, weight, bias = (v.requires_grad_() for v in vectors(4, 0, 5))
    x = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)

    def forward(own: Tensor, other: Tensor, gate: Tensor, *rest: Tensor) -> Tensor:
        inside = gate.sigmoid() / 2 + 0.5
        one = Moments(own, own.square() + 0.5)
        two = Moments(other, other.square() + 0.5)
        moments = effective_moments(one, two, inside, inside, scale=0.7)
        return normalize(rest[0], moments, rest[1], rest[2], 1e-5)

    assert torch.autograd.gradcheck(forward, (own, other, gate, x, weight, bias))


@pytest.mark.parametrize("affine", [True, False])
def test_scale_and_shift_is_the_normalization(affine: bool) -> None:
    mean, variance, weight, bias = vectors(5, 3, 4)
    moments = Moments(mean, variance.square())
    gamma, beta = (weight, bias) if affine else (None, None)
    x = torch.randn(7, 5, 2, 3, dtype=torch.float64)
    scale, shift = (v.view(1, -1, 1, 1) for v in scale_and_shift(moments, gamma, beta, 1e-3))
    torch.testing.assert_close(scale * x + shift, normalize(x, moments, gamma, beta, 1e-3))


def test_normalization_keeps_its_digits_where_the_mean_is_large() -> None:
    x = torch.randn(64, 1, generator=torch.Generator().manual_seed(0)) + 30_000
    moments = Moments(torch.tensor([30_000.0]), torch.tensor([1.3]))
    exact = normalize(x.double(), Moments(*(v.double() for v in moments)), None, None, 1e-5)
    assert (normalize(x, moments, None, None, 1e-5) - exact).abs().max() < 1e-5
