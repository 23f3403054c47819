import numpy as np
import pytest

from rn_model.digits.rendering import Ranges, render_digits

STILL = Ranges(shear=(0, 0), rotation=(0, 0), aspect=(1, 1), wave=(0, 0), shift=(0, 0))


def test_images_are_grey_from_paper_to_ink() -> None:
    values, labels = render_digits(40, seed=1)
    assert values.shape == (40, 16, 16) and values.dtype == np.uint8
    assert set(np.unique(values)) == {0, 64, 128, 191, 255}
    assert labels.shape == (40,) and labels.dtype == np.int64


@pytest.mark.parametrize("count", [40, 43])
def test_classes_are_even(count: int) -> None:
    counts = np.bincount(render_digits(count, seed=2)[1], minlength=10)
    assert counts.max() - counts.min() == (1 if count % 10 else 0)


def test_the_seed_decides() -> None:
    first, again, other = (render_digits(12, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_digits_fill_the_height_and_sit_in_the_middle() -> None:
    values, _ = render_digits(60, seed=5, ranges=STILL)
    assert (values[:, :2].max(axis=(1, 2)) > 0).all() and (
        values[:, 14:].max(axis=(1, 2)) > 0
    ).all()
    ink = values.astype(float).sum(axis=0)
    middle = (ink.sum(axis=0) * np.arange(16)).sum() / ink.sum()
    assert middle == pytest.approx(7.5, abs=1.0)


def test_a_wider_pen_leaves_more_ink() -> None:
    thin, wide = (
        render_digits(30, seed=6, line_share=1.0, ranges=STILL._replace(pen=(radius, radius)))[0]
        for radius in (1.0, 2.5)
    )
    assert (wide >= thin).all()
    assert wide.mean() > 1.5 * thin.mean()


def test_no_two_images_are_the_same() -> None:
    values, _ = render_digits(50, seed=7)
    assert len({image.tobytes() for image in values}) == 50
