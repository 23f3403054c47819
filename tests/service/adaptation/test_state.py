from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bundle.moments import FlatMoments
from service.adaptation.state import OnlineState

CHANNELS = 3
FOREVER = 1e9

values = st.floats(-100, 100, allow_nan=False)
batch: st.SearchStrategy[NDArray[np.float64]] = st.lists(
    st.tuples(*[values] * CHANNELS), min_size=1, max_size=6
).map(np.array)


def moments(data: NDArray[np.float64]) -> FlatMoments:
    return FlatMoments(data.mean(axis=0), data.var(axis=0))


def state(data: NDArray[np.float64]) -> OnlineState:
    return OnlineState(moments(data), len(data))


def assert_same(found: FlatMoments, expected: FlatMoments) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@given(st.lists(batch, min_size=2, max_size=5))
def test_merge_gives_the_moments_of_all_data_together(batches: list[NDArray[np.float64]]) -> None:
    merged = reduce(
        lambda past, data: past.merge(moments(data), len(data), FOREVER),
        batches[1:],
        state(batches[0]),
    )
    everything = np.concatenate(batches)
    assert_same(merged.moments, moments(everything))
    assert merged.count == pytest.approx(len(everything))
    assert merged.pending == len(everything) - len(batches[0])


@given(batch, batch, batch)
def test_merge_is_associative(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]
) -> None:
    left = state(a).merge(moments(b), len(b), FOREVER).merge(moments(c), len(c), FOREVER)
    inner = state(b).merge(moments(c), len(c), FOREVER)
    right = state(a).merge(inner.moments, len(b) + len(c), FOREVER)
    assert_same(left.moments, right.moments)
    assert left.count == pytest.approx(right.count)


@given(batch, st.floats(1, 1000), st.integers(1, 50), st.floats(50, 200))
def test_the_past_weighs_at_most_what_is_left_beside_the_batch(
    data: NDArray[np.float64], count: float, images: int, max_count: float
) -> None:
    past = OnlineState(moments(data), count)
    new = FlatMoments(np.zeros(CHANNELS), np.ones(CHANNELS))
    merged = past.merge(new, images, max_count)
    kept = min(count, max_count - images)
    assert merged.count == pytest.approx(kept + images)
    assert merged.count <= max(max_count, images) + 1e-9
    share = images / (kept + images)
    np.testing.assert_allclose(merged.moments.mean, (1 - share) * past.moments.mean, atol=1e-9)


def test_what_is_old_fades() -> None:
    past = OnlineState(FlatMoments(np.zeros(1), np.ones(1)), 64)
    new = FlatMoments(np.array([10.0]), np.ones(1))
    states = [past]
    for _ in range(20):
        states.append(states[-1].merge(new, 64, max_count=256))
    distances = [10 - float(s.moments.mean[0]) for s in states]
    assert all(later < earlier for earlier, later in pairwise(distances))
    assert distances[-1] < 0.1
    assert states[-1].count == 256


def test_a_batch_larger_than_the_memory_replaces_the_past() -> None:
    past = OnlineState(FlatMoments(np.zeros(1), np.ones(1)), 64)
    merged = past.merge(FlatMoments(np.array([5.0]), np.array([2.0])), 300, max_count=256)
    assert_same(merged.moments, FlatMoments(np.array([5.0]), np.array([2.0])))
    assert merged.count == 300


def test_counts() -> None:
    past = OnlineState(FlatMoments(np.zeros(1), np.ones(1)), 64, pending=5)
    merged = past.merge(past.moments, 7, FOREVER)
    assert (merged.count, merged.pending) == (71, 12)
    assert (merged.without_pending().count, merged.without_pending().pending) == (71, 0)
    assert (past.count, past.pending) == (64, 5)


def test_without_a_past_the_state_is_the_batch() -> None:
    past = OnlineState(FlatMoments(np.array([7.0]), np.array([9.0])), 0.0)
    batch = FlatMoments(np.array([5.0]), np.array([2.0]))
    merged = past.merge(batch, 3, FOREVER)
    assert_same(merged.moments, batch)
    assert (merged.count, merged.pending) == (3, 3)


def test_images_count_as_much_as_they_weigh() -> None:
    past = OnlineState(FlatMoments(np.zeros(1), np.ones(1)), 10.0)
    batch = FlatMoments(np.array([6.0]), np.array([1.0]))
    merged = past.merge(batch, 5, FOREVER, weight=2.0)
    assert merged.moments.mean[0] == pytest.approx(1.0)
    assert (merged.count, merged.pending) == (12.0, 5)
