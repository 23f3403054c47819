"""Measures a network during its training: label-free scores, source accuracy, and the oracle."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from rn_model.data import ImageSet, Task
from rn_model.layers.domains import Domain
from rn_model.runs.selection import Candidate, score_predictions
from rn_model.training.errors import TrainingError
from rn_model.training.evaluation.prediction import Predictions, Reader, predict, spread


@dataclass(frozen=True)
class Measurement:
    """Of one network.

    Attributes:
        candidate: what a choice may see.
        oracle: target accuracy; None without labels. Reported, and used for nothing.
        target: predictions on the target's training images.
        labelled: predictions on the images whose labels the oracle is made of.
        source: predictions on held-out source images.
    """

    candidate: Candidate
    oracle: float | None
    target: Predictions
    labelled: Predictions
    source: Predictions

    def entry(self) -> dict[str, Any]:
        """For the history."""
        return {
            "information": self.candidate.scores.information,
            "nuclear_norm": self.candidate.scores.nuclear_norm,
            "source_accuracy": self.candidate.source_accuracy,
            "oracle_target_accuracy": self.oracle,
        }


def measure(
    network: nn.Module, task: Task, reader: Reader, most: int, *, most_labelled: int
) -> Measurement:
    """Predict the held-out source images through the source branch, the target's through its own.

    Args:
        network: left as it is.
        task: the images.
        reader: of the images.
        most: images of the source and of the target, evenly spread.
        most_labelled: target images that the oracle is measured on, where there is no test set; a test
            set is predicted in full. Oracles compare only if they are of the same images.

    Raises:
        TrainingError: if a prediction is not finite.
    """
    source = _predicted(network, task.validation, reader, "source", most)
    target = _predicted(network, task.target, reader, "target", most)
    labelled = target
    images = len(task.target)
    if task.test is not None:
        labelled = _predicted(network, task.test, reader, "target", len(task.test))
    elif task.target.labels is not None and min(most, images) != min(most_labelled, images):
        labelled = _predicted(network, task.target, reader, "target", most_labelled)
    candidate = Candidate(score_predictions(target.probability), _known(source))
    return Measurement(candidate, labelled.accuracy, target, labelled, source)


def source_accuracy(network: nn.Module, task: Task, reader: Reader, most: int) -> float:
    """Of :func:`measure` the accuracy on held-out source images alone."""
    return _known(_predicted(network, task.validation, reader, "source", most))


def _predicted(
    network: nn.Module, images: ImageSet, reader: Reader, branch: Domain, most: int
) -> Predictions:
    found = predict(network, images, spread(len(images), most), reader, branch)
    if not bool(found.probability.isfinite().all()):
        raise TrainingError(
            f"the network's predictions of {branch} images are not finite: its weights or"
            " statistics overflowed; try a lower learning rate, or mixed precision off"
        )
    return found


def _known(source: Predictions) -> float:
    accuracy = source.accuracy
    assert accuracy is not None  # a task's source is labelled
    return accuracy
