"""What a grid of runs is made of, as one typed configuration."""

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
# What the training on the source depends on, or what the grid itself varies.
_FIXED = ("task", "preprocessing", "backbone", "normalization", "objectives", "seed", "start")

# Names become folders.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
Settings = dict[str, JsonValue]
Base = str | dict[str, JsonValue]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


def _as_sequence(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _check_cell_settings(settings: Settings) -> Settings:
    for key in settings:
        if key.split(".")[0] in _FIXED:
            raise ValueError(
                f"{key} cannot be set here: all runs of a task and seed begin with the same network,"
                " on the same images"
            )
    return settings


CellSettings = Annotated[Settings, AfterValidator(_check_cell_settings)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name


class TaskEntry(_Entry):
    """A source and a target.

    Attributes:
        name: of the task.
        base: in the place of the grid's, for this task.
        source: labelled domains of the base, if that is a recipe.
        target: domain of the recipe to adapt to.
        data: folder of the recipe's images, in the place of the command's.
        set: values by dotted names, such as ``training.steps``.
    """

    base: Base | None = None
    source: Annotated[tuple[str, ...], BeforeValidator(_as_sequence)] = ()
    target: str | None = None
    data: str | None = None
    set: Settings = {}


class NormalizationEntry(_Entry):
    """A normalization; a name alone is that of a kind.

    Attributes:
        name: of the row.
        kind: the method; the name if not given.
        options: of the kind.
        set: values by dotted names, for the adaptation alone.
    """

    kind: NormalizationName
    options: dict[str, JsonValue] = {}
    set: CellSettings = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name == SOURCE:
            raise ValueError(f"a normalization cannot be called {SOURCE!r}: that folder is taken")
        self.normalization()
        return self

    def normalization(self) -> Normalization:
        """As a run's configuration has it."""
        return Normalization.model_validate({"kind": self.kind, **self.options})


class ObjectiveEntry(_Entry):
    """Objectives that are added up; a name alone is that of one, or ``source-only`` for none.

    Attributes:
        name: of the column.
        objectives: none for source only.
        set: values by dotted names, for the adaptation alone.
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
    """Every normalization with every set of objectives, on every task, with every seed.

    Attributes:
        base: a recipe, the path of a run's configuration, or what would be written there.
        set: values by dotted names for all runs, such as ``training.steps``.
        tasks: see :class:`TaskEntry`.
        normalizations: rows of the tables.
        objectives: columns of the tables.
        seeds: of the runs.
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
                raise ValueError(f"a task cannot be called {PLOTS!r}: that folder is taken")
            if task.base is None and self.base is None:
                raise ValueError(f"the task {task.name!r} has no base, and neither has the grid")
        return self


def _check_distinct(names: Sequence[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{what} name {name!r} twice")
