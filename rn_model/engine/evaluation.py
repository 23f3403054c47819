"""Measures a network during its training: label-free scores, source accuracy, and the oracle."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from rn_model.data import ImageSet, Task
from rn_model.domain_norm import Domain
from rn_model.engine.errors import TrainingError
from rn_model.engine.prediction import Predictions, Reader, predict, spread
from rn_model.selection import Candidate, score_predictions


@dataclass(frozen=True)
class Measurement:
    """Of one network.

    Attributes:
        candidate: what a choice may see.
        oracle: target accuracy; None without labels. Reported, and used for nothing.
        target: predictions on the target's training images.
        labelled: predictions on the images whose labels the oracle is made of: the test set if there
            is one, else the target.
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
    network: nn.Module, task: Task, reader: Reader, most: int, *, whole_test: bool = False
) -> Measurement:
    """Predict the held-out source images through the source branch, the target's through its own.

    Args:
        network: left as it is.
        task: the images.
        reader: of the images.
        most: images of each set, evenly spread.
        whole_test: whether all images of a test set are predicted nevertheless.

    Raises:
        TrainingError: if a prediction is not finite.
    """

    def predicted(images: ImageSet, branch: Domain, most: int) -> Predictions:
        found = predict(network, images, spread(len(images), most), reader, branch)
        if not bool(found.probability.isfinite().all()):
            raise TrainingError(
                f"the network's predictions of {branch} images are not finite: its weights or"
                " statistics overflowed; try a lower learning rate, or mixed precision off"
            )
        return found

    source = predicted(task.validation, "source", most)
    target = predicted(task.target, "target", most)
    labelled = target
    if task.test is not None:
        labelled = predicted(task.test, "target", len(task.test) if whole_test else most)
    accuracy = source.accuracy
    assert accuracy is not None  # a task's source is labelled
    candidate = Candidate(score_predictions(target.probability), accuracy)
    return Measurement(candidate, labelled.accuracy, target, labelled, source)
