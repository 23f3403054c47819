"""Splits a labelled image set into training and validation images."""

import numpy as np

from rn_model.data.sets import Indices


def stratified_split(labels: Indices, share: float, seed: int) -> tuple[Indices, Indices]:
    """Split indices into training and held-out ones, class by class.

    From every class, the rounded share is held out: at least one image, but never the last one. A
    class with a single image keeps it for training.

    Args:
        labels: class of each image, ``(N,)``.
        share: share of the images to hold out, between 0 and 1.
        seed: random seed.

    Returns:
        Training indices and held-out indices, both sorted; together, every index once.
    """
    generator = np.random.default_rng(seed)
    held: list[Indices] = []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        count = min(max(1, round(share * len(places))), len(places) - 1)
        held.append(generator.permutation(places)[:count])
    out = np.sort(np.concatenate([np.empty(0, dtype=np.int64), *held]))
    return np.setdiff1d(np.arange(len(labels)), out), out
