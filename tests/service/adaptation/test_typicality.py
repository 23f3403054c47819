"""Images that are unlike most of their batch count less."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.adaptation.change import LARGE_Z, MIN_TYPICAL, typicality
from tests.service.online_targets import target_of
from tests.service.pictures import noise


def features(images: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, (images, 11))


@given(st.integers(MIN_TYPICAL, 64), st.integers(0, 10**6), st.floats(5, 1e3))
def test_a_minority_of_another_kind_counts_less_the_more_it_differs(
    images: int, seed: int, distance: float
) -> None:
    given = features(images, seed)
    few = max(1, images // 5)
    given[:few] += distance
    weights = typicality(given)
    assert ((weights > 0) & (weights <= 1)).all()
    assert weights[:few].max() < weights[few:].max() == 1
    assert weights[:few].max() < (LARGE_Z / (0.5 * distance / 0.6)) ** 2 + 0.6


@given(st.integers(0, 10**6))
def test_nearly_all_of_a_calm_batch_count_fully(seed: int) -> None:
    weights = typicality(features(64, seed))
    assert weights.mean() > 0.9 and np.median(weights) == 1


def test_few_images_do_not_show_what_is_usual() -> None:
    given = features(MIN_TYPICAL - 1, 0)
    given[0] += 100
    assert (typicality(given) == 1).all()
    assert typicality(features(1, 0)).tolist() == [1]
    broken = features(MIN_TYPICAL, 0)
    broken[0, 0] = np.nan
    assert typicality(broken)[0] == 0


def test_foreign_images_that_were_admitted_move_little(bundle_path: Path, tmp_path: Path) -> None:
    """Admission is told to admit everything: eight of 64 images are darker than the others."""
    mixed = noise(64, 1)
    mixed[:8] //= 3
    counts = []
    for number, images in enumerate((noise(64, 1), mixed)):
        folder = tmp_path / str(number)
        folder.mkdir()
        changes = {"admission_threshold": 1e9, "change_threshold": 1e9, "commit_every": 1000}
        with target_of(bundle_path, folder, **changes) as target:
            assert target.adapt(list(images)).admitted == 64
            counts.append(target.record.state.count)
    assert counts[1] < counts[0] - 4
