import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rn_model.data.splits import stratified_split

_LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array)
_SHARE = st.floats(0.01, 0.99)


@given(_LABELS, _SHARE, st.integers(0, 2**32))
def test_every_place_is_on_one_side(labels: np.ndarray, share: float, seed: int) -> None:
    training, held = stratified_split(labels, share, seed)
    assert np.array_equal(np.sort(np.concatenate([training, held])), np.arange(len(labels)))
    assert np.array_equal(training, np.sort(training))
    assert np.array_equal(held, np.sort(held))


@given(_LABELS, _SHARE, st.integers(0, 2**32))
def test_the_share_is_held_out_of_every_class(labels: np.ndarray, share: float, seed: int) -> None:
    training, held = stratified_split(labels, share, seed)
    for label in np.unique(labels):
        count = int((labels == label).sum())
        out = int((labels[held] == label).sum())
        assert (labels[training] == label).any()
        assert out >= 1 or count == 1
        if 1 <= round(share * count) < count:
            assert abs(out - share * count) <= 0.5


def test_the_seed_decides() -> None:
    labels = np.arange(200) % 4
    first, again, other = (stratified_split(labels, 0.25, seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
