"""The source stage: training on the labelled source alone, with BatchNorm."""

from collections.abc import Callable
from typing import Any

from torch import nn

from rn_model.training.context import RunContext
from rn_model.training.evaluation.checkpoint_selection import CheckpointSelector
from rn_model.training.stages.stage import Stage


def source_stage(
    context: RunContext, network: nn.Module, evaluate: Callable[[int], dict[str, Any]]
) -> Stage:
    """Prepare the training on the source; the last weights are kept.

    Args:
        context: context of the run.
        network: network with BatchNorm.
        evaluate: measures the network after a step, and returns an entry for the history.
    """
    return Stage(
        name="source",
        steps=context.config.training.source_steps,
        network=network,
        sets={"source": list(context.sources)},
        objectives=[],
        views=context.views,
        selector=CheckpointSelector(None, last=True),
        evaluate=evaluate,
    )
