"""The configuration of a grid of runs."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from rn_model.layers import Normalization, NormalizationName
from rn_model.objectives import ObjectiveConfig

SOURCE = "source"
PLOTS = "plots"
SOURCE_ONLY = "source-only"
# Settings that the source stage depends on, or that the grid itself varies.
_FIXED = ("task", "preprocessing", "backbone", "normalization", "objectives", "seed", "start")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("names become folders: use only letters, digits and . _ + -")
    return name


Name = Annotated[str, AfterValidator(_check_name)]
Settings = dict[str, JsonValue]
Base = str | dict[str, JsonValue]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


def _as_sequence(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _check_cell_settings(settings: Settings) -> Settings:
    for key in settings:
        if key.split(".")[0] in _FIXED:
            raise ValueError(
                f"{key} cannot be set here: all runs of a task and seed start with the same network,"
                " on the same images"
            )
    return settings


CellSettings = Annotated[Settings, AfterValidator(_check_cell_settings)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name


class TaskEntry(_Entry):
    """A task of the grid: sources and a target.

    Attributes:
        name: name of the task.
        base: base of this task, instead of the grid's.
        source: labelled domains of the base, if that is a recipe.
        target: domain to adapt to, if the base is a recipe.
        data: folder of the images of the recipe, instead of the one passed to the command.
        set: values by dotted names, such as ``training.steps``.
    """

    base: Base | None = None
    source: Annotated[tuple[str, ...], BeforeValidator(_as_sequence)] = ()
    target: str | None = None
    data: str | None = None
    set: Settings = {}


class NormalizationEntry(_Entry):
    """A row of the tables: a normalization with options. A string is short for the kind alone.

    Attributes:
        name: name of the row.
        kind: method of normalization. Default: the name.
        options: options of the method.
        set: values by dotted names, only for the adaptation.
    """

    kind: NormalizationName
    options: dict[str, JsonValue] = {}
    set: CellSettings = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name == SOURCE:
            raise ValueError(f"a normalization cannot be named {SOURCE!r}: this folder is reserved")
        self.normalization()
        return self

    def normalization(self) -> Normalization:
        """The normalization in the form of a run's configuration."""
        return Normalization.model_validate({"kind": self.kind, **self.options})


class ObjectiveEntry(_Entry):
    """A column of the tables: objectives to add up. A string is short for a single objective.

    Attributes:
        name: name of the column.
        objectives: the objectives; empty for source only, for which ``source-only`` is short.
        set: values by dotted names, only for the adaptation.
    """

    objectives: tuple[ObjectiveConfig, ...]
    set: CellSettings = {}


def _normalization_entry(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value, "kind": value}
    if isinstance(value, dict) and "name" in value:
        return {"kind": value["name"], **value}
    return value


def _objective_entry(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    objectives = [] if value == SOURCE_ONLY else [{"name": value}]
    return {"name": value, "objectives": objectives}


class GridConfig(BaseModel):
    """A grid: every normalization with every set of objectives, on every task, with every seed.

    Attributes:
        base: name of a recipe, path of a run's configuration, or such a configuration itself.
        set: values by dotted names for all runs, such as ``training.steps``.
        tasks: tasks of the grid.
        normalizations: rows of the tables.
        objectives: columns of the tables.
        seeds: random seeds of the runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Base | None = None
    set: Settings = {}
    tasks: Annotated[tuple[TaskEntry, ...], Field(min_length=1)]
    normalizations: Annotated[
        tuple[Annotated[NormalizationEntry, BeforeValidator(_normalization_entry)], ...],
        Field(min_length=1),
    ]
    objectives: Annotated[
        tuple[Annotated[ObjectiveEntry, BeforeValidator(_objective_entry)], ...],
        Field(min_length=1),
    ]
    seeds: Seeds = (0, 1, 2, 3, 4)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for field in ("tasks", "normalizations", "objectives"):
            _check_distinct([entry.name for entry in getattr(self, field)], field)
        _check_distinct([str(seed) for seed in self.seeds], "seeds")
        for task in self.tasks:
            if task.name == PLOTS:
                raise ValueError(f"a task cannot be named {PLOTS!r}: this folder is reserved")
            if task.base is None and self.base is None:
                raise ValueError(f"task {task.name!r} has no base, and neither does the grid")
        return self


def _check_distinct(names: Sequence[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{what} must be distinct, but contain {name!r} twice")
