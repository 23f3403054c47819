import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rn_model.layers.functional import (
    Similarity,
    correlation,
    group_width,
    reciprocal_compensation,
)
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


@pytest.mark.parametrize(
    ("channels", "groups", "width"),
    [(12, 1, 12), (12, 4, 3), (12, 5, 3), (12, 12, 1), (12, 99, 1), (7, 3, 7), (1024, 1024, 1)],
)
def test_group_width_of_a_given_number_of_groups(channels: int, groups: int, width: int) -> None:
    assert group_width(channels, groups) == width


def test_group_width_needs_a_channel_and_a_group() -> None:
    with pytest.raises(ValueError, match="channels must be at least 1, not 0"):
        group_width(0)
    with pytest.raises(ValueError, match="groups must be at least 1, not 0"):
        group_width(4, 0)


@settings(max_examples=25)
@given(channels=channel_counts, seed=seeds, scale=st.sampled_from([0.1, 1.0, 30.0]))
def test_compensation(channels: int, seed: int, scale: float) -> None:
    own, other = vectors(channels, seed)
    expected = reference.compensation(own.numpy(), other.numpy(), scale)
    np.testing.assert_allclose(
        reciprocal_compensation(own, other, scale=scale).numpy(), expected, 1e-9, 1e-12
    )


@given(channels=st.sampled_from([1, 5, 1024]), seed=seeds)
@settings(max_examples=10)
def test_rows_of_the_correlation_are_probabilities(channels: int, seed: int) -> None:
    similarities: tuple[Similarity, ...] = ("squared", "absolute", "product")
    for similarity in similarities:
        rows = correlation(*vectors(channels, seed), similarity=similarity)
        assert (rows >= 0).all()
        torch.testing.assert_close(rows.sum(dim=1), torch.ones(len(rows), dtype=torch.float64))


def test_a_sharp_correlation_finds_the_nearest_channel() -> None:
    own, other = torch.tensor([0.0, 10.0, 5.1]), torch.tensor([5.0, 0.5, 9.0])
    found = reciprocal_compensation(own, other, scale=1e4)
    torch.testing.assert_close(found, torch.tensor([0.5, 9.0, 5.0]))


def test_an_unknown_similarity_is_refused() -> None:
    with pytest.raises(ValueError, match="'squared', 'absolute' or 'product', not 'cosine'"):
        correlation(torch.zeros(2), torch.zeros(2), similarity="cosine")  # type: ignore[arg-type]


def test_several_moments_at_once_are_each_by_itself() -> None:
    own, other = (torch.stack(vectors(1030, seed, 3)) for seed in (0, 1))
    found = reciprocal_compensation(own, other, groups=103)
    for mine, theirs, row in zip(own, other, found, strict=True):
        torch.testing.assert_close(row, reciprocal_compensation(mine, theirs, groups=103))
    assert not torch.allclose(found, reciprocal_compensation(own, other))


@pytest.mark.parametrize("groups", [None, 2, 1])
@pytest.mark.parametrize("similarity", ["squared", "absolute", "product"])
def test_gradients(similarity: Similarity, groups: int | None) -> None:
    own, other = (torch.stack(vectors(6, seed)).requires_grad_() for seed in (0, 1))

    def forward(own: Tensor, other: Tensor) -> Tensor:
        return reciprocal_compensation(own, other, scale=0.7, similarity=similarity, groups=groups)

    assert torch.autograd.gradcheck(forward, (own, other))


@pytest.mark.parametrize("channels", [512, 1024, 2050])
@pytest.mark.parametrize("similarity", ["squared", "absolute", "product"])
def test_single_precision_gives_the_digits_that_it_has(
    similarity: Similarity, channels: int
) -> None:
    exact = [v.abs().requires_grad_() for v in vectors(channels, 0)]
    single = [v.detach().float().requires_grad_() for v in exact]
    results = []
    for own, other in (exact, single):
        out = reciprocal_compensation(own, other, similarity=similarity)
        results.append([out, *torch.autograd.grad(out, (own, other), torch.cos(out))])
    for found, expected in zip(results[1], results[0], strict=True):
        error = (found.double() - expected).abs().max()
        assert error < 1e-5 * expected.abs().max()


def test_nothing_of_it_is_differentiated_where_no_gradient_is_wanted() -> None:
    own, other = vectors(6, 0)
    expected = reciprocal_compensation(own, other)
    assert not expected.requires_grad
    with torch.no_grad():
        assert torch.equal(reciprocal_compensation(own.requires_grad_(), other), expected)
    found = reciprocal_compensation(own, other)
    assert found.requires_grad
    assert torch.equal(found, expected)
