"""Small copies of a few images of a run, for its report."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bundle.preprocessing import Pixels
from rn_model.data import ImageSet, Task
from rn_model.training.evaluation.prediction import Predictions
from rn_model.training.evaluation.reader import spread

MAX_SIDE = 96
GROUPS = ("source", "target", "confident", "uncertain")
_PER_GROUP = 8


def sample_pictures(task: Task, target: Predictions, limit: int) -> dict[str, NDArray[Any]]:
    """Sample images of both domains, and the most confident and the least certain predictions.

    Args:
        task: images of the run.
        target: predictions for evenly spaced images of the target.
        limit: maximum number of images of each group; 0 for none.

    Returns:
        Arrays for the report, one entry per image: ``picture``, uint8 ``(P, H, W, C)`` with sides of at
        most :data:`MAX_SIDE` pixels; ``picture_group``, indices into :data:`GROUPS`; ``picture_true`` and
        ``picture_predicted``, -1 where unknown; ``picture_confidence``, NaN where unknown.
    """
    count = min(limit, _PER_GROUP)
    if count == 0:
        return {}
    confidence, predicted = (value.numpy() for value in target.probability.max(dim=1))
    order = np.argsort(-confidence, kind="stable")
    places = np.array(spread(len(task.target), len(confidence)))
    source = task.sources[0]
    of_source = np.array(spread(len(source), count))
    chosen = {
        "target": np.array(spread(len(order), count)),
        "confident": _of_different_classes(order, predicted, count),
        "uncertain": order[::-1][:count],
    }
    own = np.concatenate(list(chosen.values()))
    unknown = np.full(len(of_source), -1)
    labels = unknown if source.labels is None else source.labels[of_source]
    return {
        "picture": np.concatenate([_small(source, of_source), _small(task.target, places[own])]),
        "picture_group": np.repeat(
            np.arange(len(GROUPS)), [len(of_source), *map(len, chosen.values())]
        ),
        "picture_true": np.concatenate([labels, target.labels.numpy()[own]]),
        "picture_predicted": np.concatenate([unknown, predicted[own]]),
        "picture_confidence": np.concatenate([np.full(len(unknown), np.nan), confidence[own]]),
    }


def _of_different_classes(
    order: NDArray[np.int64], predicted: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """The first places of an order, one per predicted class as long as there are others."""
    _, firsts = np.unique(predicted[order], return_index=True)
    rest = np.setdiff1d(np.arange(len(order)), firsts)
    places = np.concatenate([np.sort(firsts), rest])[:count]
    chosen: NDArray[np.int64] = order[np.sort(places)]
    return chosen


def _small(images: ImageSet, indices: NDArray[np.int64]) -> Pixels:
    pixels = images.read([int(index) for index in indices])
    height, width, channels = pixels.shape[1:]
    factor = MAX_SIDE / max(height, width, MAX_SIDE)
    if factor == 1:
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = [
        np.asarray(Image.fromarray(image.squeeze() if channels == 1 else image).resize(size))
        for image in pixels
    ]
    return np.stack(small).reshape(len(small), size[1], size[0], channels)
