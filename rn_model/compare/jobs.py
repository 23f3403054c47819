"""Turns a grid into trainings: which there are, in which order, each with its whole configuration."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from rn_model.compare.config import SOURCE, GridConfig, TaskEntry
from rn_model.data import DatasetConfig, TaskConfig, open_task
from rn_model.layers import Normalization
from rn_model.recipes import expand_recipe
from rn_model.training.config import RunConfig, TrainingConfig
from rn_model.training.config_file import read_mapping, validate
from rn_model.training.errors import TrainingError
from rn_model.training.overrides import set_value
from rn_model.training.records.run_folder import CONFIG, claim
from rn_model.training.result import FILE as RESULT
from rn_model.training.source_weights import SOURCE_WEIGHTS

# What the training on the source does not depend on.
_OF_THE_ADAPTATION = ("steps", "gate_rate", "ramp", "patience", "keep", "population_images")


class Key(NamedTuple):
    """A place in the grid."""

    task: str
    normalization: str
    objective: str
    seed: int

    @property
    def path(self) -> str:
        """Folder of the run, below that of the grid."""
        return f"{self.task}/{self.normalization}/{self.objective}/seed-{self.seed}"


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        path: its folder, below that of the grid; also its name.
        kind: ``source`` trains on the source alone, for all cells of a task and seed; ``cell`` adapts.
        config: of the run.
        base: folder that relative paths of the configuration begin at.
        after: path of the job that has to be done before.
        key: place of a cell in the grid.
    """

    path: str
    kind: Literal["source", "cell"]
    config: RunConfig
    base: Path
    after: str | None = None
    key: Key | None = None

    @property
    def product(self) -> str:
        """The file that is there when the job is done."""
        return SOURCE_WEIGHTS if self.kind == "source" else RESULT


def plan_jobs(
    grid: GridConfig, out: Path, *, base: Path = Path(), data: Path | None = None
) -> list[Job]:
    """All trainings of a grid, task after task; in a task those on the source come first.

    Args:
        grid: what to train.
        out: folder of the grid's runs.
        base: folder that relative paths of the grid begin at.
        data: folder of the recipes' images, where a task does not give its own.

    Raises:
        TrainingError: in one line, if the configuration of any run is wrong.
    """
    jobs: list[Job] = []
    for task in grid.tasks:
        raw, folder = _expand(grid, task, base, data)
        for name, value in {**grid.set, **task.set}.items():
            set_value(raw, name, value)
        sources: dict[int, Job] = {}
        starts: dict[int, Path | None] = {}
        for seed in grid.seeds:
            config = validate({**raw, "seed": seed}, f"task {task.name}")
            path = f"{task.name}/{SOURCE}/seed-{seed}"
            starts[seed] = config.start
            if config.start is None and config.training.source_steps > 0:
                starts[seed] = (out / path / SOURCE_WEIGHTS).absolute()
                sources[seed] = Job(path, "source", _source_config(config), folder.absolute())
        jobs += [*sources.values(), *_cells(grid, task, raw, folder, starts, sources)]
    return jobs


def check_jobs(jobs: list[Job], out: Path) -> None:
    """Find out before anything is trained whether all can be.

    Raises:
        ValueError: in one line, if images are missing, or a run that is there has another
            configuration.
    """
    for job in jobs:
        path = out / job.path / CONFIG
        if not path.is_file():
            continue
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        if yaml.load(path.read_bytes(), Loader=loader) != job.config.model_dump(mode="json"):
            claim(out / job.path, job.config, resume=True)
    seen: list[tuple[TaskConfig, Path]] = []
    for job in jobs:
        task = (job.config.task, job.base)
        done = (out / job.path / job.product).is_file()
        if not done and task not in seen and _has_files(job.config.task):
            open_task(job.config.task, job.config.preprocessing, base=job.base)
            seen.append(task)


def _has_files(task: TaskConfig) -> bool:
    # Built-in images cannot be missing, and drawing them takes seconds.
    sets = [*task.source, task.target, task.test, task.validation]
    return any(isinstance(images, DatasetConfig) and images.built_in is None for images in sets)


def cell_keys(grid: GridConfig) -> list[Key]:
    """All places of a grid; in a task seed after seed, so that there is a whole table early."""
    return [
        Key(task.name, normalization.name, objective.name, seed)
        for task in grid.tasks
        for seed in grid.seeds
        for normalization in grid.normalizations
        for objective in grid.objectives
    ]


def _cells(
    grid: GridConfig,
    task: TaskEntry,
    raw: dict[str, Any],
    folder: Path,
    starts: Mapping[int, Path | None],
    sources: Mapping[int, Job],
) -> Iterator[Job]:
    normalizations = {entry.name: entry for entry in grid.normalizations}
    objectives = {entry.name: entry for entry in grid.objectives}
    for key in cell_keys(grid.model_copy(update={"tasks": (task,)})):
        normalization, objective = normalizations[key.normalization], objectives[key.objective]
        own = copy.deepcopy(raw)
        for name, value in {**normalization.set, **objective.set}.items():
            set_value(own, name, value)
        own |= {
            "name": f"{key.task} {key.normalization} {key.objective}",
            "normalization": normalization.normalization(),
            "objectives": objective.objectives,
            "seed": key.seed,
            "start": starts[key.seed],
        }
        after = sources[key.seed].path if key.seed in sources else None
        yield Job(key.path, "cell", validate(own, key.path), folder.absolute(), after, key)


def _source_config(config: RunConfig) -> RunConfig:
    defaults = TrainingConfig()
    training = config.training.model_copy(
        update={name: getattr(defaults, name) for name in _OF_THE_ADAPTATION}
    )
    plain = {"normalization": Normalization(kind="bn"), "objectives": (), "training": training}
    return config.model_copy(update={"name": f"source, seed {config.seed}", **plain})


def _expand(
    grid: GridConfig, task: TaskEntry, base: Path, data: Path | None
) -> tuple[dict[str, Any], Path]:
    """What the base of a task says of it, and the folder that its relative paths begin at."""
    chosen = grid.base if task.base is None else task.base
    raw, folder = _read(chosen, base) if isinstance(chosen, str) else (dict(chosen or {}), base)
    name = chosen if isinstance(chosen, str) else "base"
    if "domains" in raw:
        place = data or folder if task.data is None else base / task.data
        try:
            return expand_recipe(raw, task.source, task.target or "", place.absolute()), Path()
        except ValueError as error:
            raise TrainingError(f"task {task.name}: {name}: {error}") from error
    if task.source or task.target or task.data:
        raise TrainingError(
            f"task {task.name}: {name} is no recipe with domains: set its task.source and task.target"
            " instead, such as set: {task.target.path: FOLDER}"
        )
    return copy.deepcopy(raw), folder


def _read(name: str, base: Path) -> tuple[dict[str, Any], Path]:
    own = base / Path(name).expanduser()
    return read_mapping(str(own) if own.is_file() else name)
