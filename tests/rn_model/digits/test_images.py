import numpy as np
from sklearn.datasets import load_digits

from rn_model.digits.images import CLASSES, PREPROCESSING, digit_image, source_images, target_images


def test_target_is_scikit_learns_through_the_contract() -> None:
    target = target_images()
    assert target.pixels.shape == (1797, *PREPROCESSING.shape)
    digits = load_digits()
    assert np.array_equal(target.labels, digits.target)
    for index in (0, 700, 1796):
        expected = PREPROCESSING.pixels(digit_image(digits.images[index]))
        assert np.array_equal(target.pixels[index], expected)


def test_16_is_full_ink_and_bright() -> None:
    pixels = np.asarray(digit_image(np.array([[0, 8, 16]])))
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == [[0, 128, 255]]


def test_source_is_of_the_targets_form() -> None:
    source = source_images(30, seed=0)
    assert source.pixels.shape == (30, *PREPROCESSING.shape)
    assert set(source.labels) == {int(name) for name in CLASSES}


def test_mean_and_deviation_of_the_contract_fit_the_source() -> None:
    pixels = source_images(300, seed=0).pixels / 255
    assert abs(pixels.mean() - PREPROCESSING.mean[0]) < 0.05
    assert abs(pixels.std() - PREPROCESSING.std[0]) < 0.05
