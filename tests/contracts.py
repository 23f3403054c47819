"""The images and classes that the tests' networks share; nothing here needs torch."""

from typing import NamedTuple, Protocol

import numpy as np

from bundle import Pixels, Preprocessing


class Contract(NamedTuple):
    """Name, classes and preprocessing of a network."""

    name: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing


SMALL = Contract(
    name="small",
    classes=("left", "right", "none"),
    preprocessing=Preprocessing(mode="L", height=8, width=6, mean=(0.4,), std=(0.3,)),
)
WIDE = Contract(
    name="wide",
    classes=("left", "right", "none"),
    preprocessing=Preprocessing(
        mode="RGB", height=8, width=6, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25)
    ),
)


class _Preprocessed(Protocol):
    @property
    def preprocessing(self) -> Preprocessing: ...


def random_images(contract: _Preprocessed, count: int, seed: int = 0) -> Pixels:
    """Noise in the shape that a network expects; each image has another brightness."""
    generator = np.random.default_rng(seed)
    noise = generator.uniform(0, 256, (count, *contract.preprocessing.shape))
    return (noise * generator.random((count, 1, 1, 1))).astype(np.uint8)
