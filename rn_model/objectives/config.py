"""The configuration of an objective."""

import inspect
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from rn_model.objectives.base import Objective
from rn_model.objectives.registry import OBJECTIVES, ObjectiveName, check_options


class ObjectiveConfig(BaseModel):
    """An objective, its weight and its options.

    Attributes:
        name: name of the objective.
        weight: factor of its loss; the cross-entropy on the source has factor 1.
        options: keyword arguments of the objective. Unknown names and values of the wrong type are
            errors.
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
    """Make the objective that a configuration names.

    Args:
        config: name and options of the objective. The caller applies the weight.
        num_features: width of the classifier's input, D.
        num_classes: number of classes, K.
        num_target: number of images in the target set, M.

    Raises:
        ValueError: if an option is unknown or has an invalid value.
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
