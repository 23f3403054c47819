"""Holds part of a labelled set out of training."""

import numpy as np

from rn_model.data.sets import Indices


def stratified_split(labels: Indices, share: float, seed: int) -> tuple[Indices, Indices]:
    """Places to train on and places to hold out, both sorted; together each place once.

    Of every class the share is held out, rounded, but at least one image and not the last one; nothing
    of a class with a single image.

    Args:
        labels: ``(N,)``.
        share: between 0 and 1.
        seed: the same one gives the same split.
    """
    generator = np.random.default_rng(seed)
    held: list[Indices] = []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        count = min(max(1, round(share * len(places))), len(places) - 1)
        held.append(generator.permutation(places)[:count])
    out = np.sort(np.concatenate([np.empty(0, dtype=np.int64), *held]))
    return np.setdiff1d(np.arange(len(labels)), out), out
