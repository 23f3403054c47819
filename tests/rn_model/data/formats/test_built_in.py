import numpy as np

from bundle.preprocessing import Preprocessing
from rn_model.data.formats.built_in import open_built_in
from rn_model.digits.images import source_images, target_images


def test_built_in_digits_are_those_of_the_example() -> None:
    contract = Preprocessing(mode="L", height=16, width=16, mean=(0.3,), std=(0.4,))
    printed = open_built_in("printed-digits", count=20, seed=3)
    expected = source_images(20, seed=3, preprocessing=contract)
    assert printed.labels is not None
    assert printed.labels.tolist() == expected.labels.tolist()
    assert np.array_equal(printed.pictures.pixels(7, contract), expected.pixels[7])
    handwritten = open_built_in("handwritten-digits", count=None, seed=None)
    known = target_images(contract)
    assert handwritten.labels is not None
    assert handwritten.labels.tolist() == known.labels.tolist()
    assert np.array_equal(handwritten.pictures.pixels(1000, contract), known.pixels[1000])
    assert handwritten.classes == tuple("0123456789")
