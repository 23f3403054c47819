"""Definition of one stage of a training: network, images, objectives and evaluation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from rn_model.data import ImageSet
from rn_model.layers.domains import Domain
from rn_model.training.batches.views import Views
from rn_model.training.evaluation.checkpoint_selection import CheckpointSelector
from rn_model.training.stages.losses import WeightedObjective

StageName = Literal["source", "adapt"]
STAGES: dict[str, int] = {"source": 0, "adapt": 1}


@dataclass
class Stage:
    """Everything that :class:`~rn_model.training.stages.loop.Loop` needs to run a stage.

    Attributes:
        name: name of the stage.
        steps: number of optimizer steps.
        network: network to train.
        sets: training images of each domain in a batch; several sources form one domain, and every
            batch contains equal parts of them.
        objectives: objectives on the target.
        views: augmentation and scaling of the images.
        selector: decides which network is kept.
        evaluate: measures the network after a step, offers it to ``selector`` and returns an entry
            for the history.
        refresh: passes predictions on all target images to the objectives; None if none needs them.
        refresh_every: number of steps between two calls of ``refresh``.
    """

    name: StageName
    steps: int
    network: nn.Module
    sets: dict[Domain, list[ImageSet]]
    objectives: list[WeightedObjective]
    views: Views
    selector: CheckpointSelector
    evaluate: Callable[[int], dict[str, Any]]
    refresh: Callable[[], None] | None = None
    refresh_every: int = 0
