"""Measurement of a network: label-free scores, source accuracy, probe and oracle accuracy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from rn_model.data import ImageSet, Task
from rn_model.layers.domains import Domain
from rn_model.runs.class_shares import ClassShares, estimate_class_shares
from rn_model.runs.proportion import Proportion
from rn_model.runs.selection import Candidate, score_predictions
from rn_model.training.errors import TrainingError
from rn_model.training.evaluation.prediction import Predictions, predict
from rn_model.training.evaluation.reader import Reader, spread


@dataclass(frozen=True)
class Measurement:
    """Measurements of one network.

    Attributes:
        candidate: scores and accuracies that checkpoint selection may use.
        oracle: target accuracy, only reported; None without target labels.
        target: predictions for the target's training images.
        labelled: predictions for the images on which the oracle accuracy is measured.
        source: predictions for held-out source images.
    """

    candidate: Candidate
    oracle: float | None
    target: Predictions
    labelled: Predictions
    source: Predictions

    def entry(self) -> dict[str, Any]:
        """The measurements as an entry of the history."""
        probe = self.candidate.probe
        return {
            "information": self.candidate.scores.information,
            "nuclear_norm": self.candidate.scores.nuclear_norm,
            "source_accuracy": self.candidate.source_accuracy,
            "oracle_target_accuracy": self.oracle,
            **({} if probe is None else {"probe_correct": probe.correct}),
        }


def measure(
    network: nn.Module, task: Task, reader: Reader, max_images: int, *, max_labelled: int
) -> Measurement:
    """Measure a network on held-out source images and on target images, each through their branch.

    A probe is always predicted in full.

    Args:
        network: network to measure; it is not changed.
        task: images.
        reader: reads the images.
        max_images: maximum number of source, target and test images, evenly spaced.
        max_labelled: maximum number of target images for the oracle accuracy if there is no test set.
            Oracle accuracies are only comparable on the same images.

    Raises:
        TrainingError: if a prediction is not finite.
    """
    source = _predicted(network, task.validation, reader, "source", max_images)
    target = _predicted(network, task.target, reader, "target", max_images)
    labelled = target
    images = len(task.target)
    if task.test is not None:
        labelled = _predicted(network, task.test, reader, "target", max_images)
    elif task.target.labels is not None and min(max_images, images) != min(max_labelled, images):
        labelled = _predicted(network, task.target, reader, "target", max_labelled)
    probe = None if task.probe is None else _probed(network, task.probe, reader)
    candidate = Candidate(score_predictions(target.probability), _known(source), probe)
    return Measurement(candidate, labelled.accuracy, target, labelled, source)


def class_shares(task: Task, measured: Measurement) -> ClassShares:
    """Class shares of both domains; those of the target are estimated from a measurement."""
    source = measured.source
    return estimate_class_shares(
        np.concatenate([images.labels for images in task.sources if images.labels is not None]),
        (source.probability.numpy(), source.labels.numpy()),
        measured.target.probability.numpy(),
    )


def source_accuracy(network: nn.Module, task: Task, reader: Reader, max_images: int) -> float:
    """Accuracy on at most ``max_images`` held-out source images, through the source branch."""
    return _known(_predicted(network, task.validation, reader, "source", max_images))


def _predicted(
    network: nn.Module, images: ImageSet, reader: Reader, branch: Domain, max_images: int
) -> Predictions:
    found = predict(network, images, spread(len(images), max_images), reader, branch)
    if not bool(found.probability.isfinite().all()):
        raise TrainingError(
            f"predictions for {branch} images are not finite: weights or statistics have overflowed;"
            " lower training.learning_rate, or set training.precision=32-true"
        )
    return found


def _probed(network: nn.Module, images: ImageSet, reader: Reader) -> Proportion:
    found = _predicted(network, images, reader, "target", len(images))
    correct = found.probability.argmax(dim=1) == found.labels
    return Proportion(correct=int(correct.sum()), images=len(images))


def _known(source: Predictions) -> float:
    accuracy = source.accuracy
    assert accuracy is not None  # a task's source is labelled
    return accuracy
