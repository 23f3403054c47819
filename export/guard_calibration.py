"""Measures at export what the guards of the service need to know of harmless changes."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from bundle import files
from bundle.fold import Array, fold_sites
from bundle.interface import COMPENSATE_INPUTS, COMPENSATE_OUTPUTS, OBSERVE_INPUTS
from bundle.manifest import GuardCalibration
from bundle.preprocessing import Pixels
from bundle.runtime import make_session
from bundle.scores import label_free_scores, softmax
from export.assembly import Assembly
from export.checks.images import evenly_spaced
from export.checks.parity import batches
from export.network.input_features import input_features
from rn_model.runs.class_shares import ClassShares

# Enough for a level of one in a hundred.
UPDATES = 99
# Images behind each update, and images that it is scored on.
UPDATE_IMAGES = 64
SCORED_IMAGES = 128
REFERENCE_IMAGES = 256
# Large networks get fewer updates, and a coarser level.
MAX_SECONDS = 60.0


def calibrate_guards(
    parts: Assembly,
    images: Pixels,
    samples: Pixels | None,
    updates: int = UPDATES,
    *,
    free_size: bool = False,
    seed: int = 0,
    class_shares: ClassShares | None = None,
) -> GuardCalibration:
    """Input features of the domain, and the drops of the score under harmless updates.

    Args:
        parts: graphs and arrays of the network.
        images: target images ``(N, H, W, C)`` uint8, from which the updates are drawn.
        samples: sample images of the bundle, on which they are scored; None if it holds none.
        updates: number of updates; fewer are made if they would take longer than ``MAX_SECONDS``.
        free_size: whether images may have any size.
        seed: seed of the draws.
        class_shares: class shares of the source, and how its classes are confused; None if not known.
    """
    chosen = evenly_spaced(images, REFERENCE_IMAGES)
    features = [
        input_features(torch.from_numpy(part), free_size).numpy() for part in batches(chosen)
    ]
    rows = tuple(tuple(map(float, row)) for row in np.concatenate(features))
    known = GuardCalibration(
        features=rows,
        confusion=None if class_shares is None else class_shares.confusion,
        source_shares=None if class_shares is None else class_shares.source,
    )
    if samples is None or len(images) < UPDATE_IMAGES:
        return known
    scored = evenly_spaced(samples, SCORED_IMAGES)
    drops = _drops(parts, images, scored, updates, np.random.default_rng(seed))
    found = {"scored_images": len(scored), "drops": tuple(sorted(drops))}
    return known.model_copy(update=found)


def _drops(
    parts: Assembly,
    images: Pixels,
    scored: Pixels,
    updates: int,
    generator: np.random.Generator,
) -> Sequence[float]:
    observe = make_session(parts.contents[files.OBSERVE], parts.observe_arrays)
    compensate = make_session(parts.contents[files.COMPENSATE], {})
    base = _score(parts, parts.arrays, scored)
    drops: list[float] = []
    begun = time.monotonic()
    while len(drops) < updates and time.monotonic() - begun < MAX_SECONDS:
        batch = images[generator.choice(len(images), UPDATE_IMAGES, replace=False)]
        given = (
            batch,
            np.ones(len(batch), np.float32),
            np.array(0.0, np.float32),
            *(moment.astype(np.float32) for moment in parts.moments),
        )
        inputs = dict(zip(OBSERVE_INPUTS, given, strict=True))
        moments = observe.run(["batch_mean", "batch_variance"], inputs)
        mean, variance = (np.asarray(moment, np.float64) for moment in moments)
        state = (mean, variance, np.array(float(len(batch))))
        folded = compensate.run(
            list(COMPENSATE_OUTPUTS), dict(zip(COMPENSATE_INPUTS, state, strict=True))
        )
        arrays = {**parts.arrays, **fold_sites(parts.table, parts.unfolded, *folded)}
        drops.append(base - _score(parts, arrays, scored))
    return drops


def _score(parts: Assembly, arrays: Mapping[str, Array], images: Pixels) -> float:
    session = make_session(parts.contents[files.PREDICT], arrays)
    logits: list[NDArray[np.float32]] = [
        session.run(["logits"], {"image": part})[0] for part in batches(images)
    ]
    return label_free_scores(softmax(np.concatenate(logits))).nuclear_norm
