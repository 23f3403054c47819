import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export import ExportError
from export.variants.image_split import MAX_CALIBRATION, check_split, split_images
from tests.networks import SMALL, random_images

IMAGES = random_images(SMALL, 20)


@given(st.integers(2, 3 * MAX_CALIBRATION))
def test_what_calibrates_is_not_held_out(count: int) -> None:
    numbers = np.arange(count)
    calibration, held_out = split_images(numbers)  # type: ignore[arg-type]
    assert not set(calibration) & set(held_out)
    assert 1 <= len(calibration) <= MAX_CALIBRATION and len(held_out) == count // 2


def test_images_that_must_not_calibrate_are_all_held_out() -> None:
    for images, calibrate in ((IMAGES, False), (IMAGES[:1], True)):
        split = split_images(images, calibrate=calibrate)
        assert len(split.calibration) == 0
        np.testing.assert_array_equal(split.held_out, images)


def test_integers_need_images_to_calibrate_on() -> None:
    check_split(split_images(IMAGES[:2]), ["int8"])
    one = split_images(IMAGES[:1])
    check_split(one, ["float16"])
    with pytest.raises(ExportError, match=r"^int8 needs at least two target images"):
        check_split(one, ["float16", "int8"])
