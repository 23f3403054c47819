"""Objectives as a configuration names them."""

import inspect
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from rn_model.objectives.base import Objective
from rn_model.objectives.registry import OBJECTIVES, ObjectiveName, check_options


class ObjectiveConfig(BaseModel):
    """One term of the loss.

    Attributes:
        name: which objective.
        weight: its factor beside the source's cross-entropy.
        options: keyword arguments of the objective, checked against those that it takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ObjectiveName
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    options: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _options_fit(self) -> "ObjectiveConfig":
        check_options(self.name, self.options)
        return self


def make_objective(
    config: ObjectiveConfig, *, num_features: int, num_classes: int, num_target: int
) -> Objective:
    """The objective that a configuration names.

    Args:
        config: its name and options; the weight is for the caller to apply.
        num_features: D, width of the classifier's input.
        num_classes: K.
        num_target: images of the target set.

    Raises:
        ValueError: if an option is unknown or does not fit.
    """
    check_options(config.name, config.options)
    sizes = {
        "num_features": num_features,
        "num_classes": num_classes,
        "num_target": num_target,
    }
    constructor: type[Any] = OBJECTIVES[config.name]
    wanted = inspect.signature(constructor.__init__).parameters
    given = {name: size for name, size in sizes.items() if name in wanted}
    objective: Objective = constructor(**given, **config.options)
    return objective
