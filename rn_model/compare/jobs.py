"""Jobs of a grid: all trainings in order, each with its whole configuration."""

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
from rn_model.training.records.source_weights import SOURCE_WEIGHTS
from rn_model.training.result import FILE as RESULT

# Settings that the source stage does not depend on.
_ADAPTATION_ONLY = ("steps", "gate_rate", "ramp", "patience", "keep", "population_images")


class Key(NamedTuple):
    """A cell of the grid, with one seed."""

    task: str
    normalization: str
    objective: str
    seed: int

    @property
    def path(self) -> str:
        """Folder of the run below the directory of the comparison."""
        return f"{self.task}/{self.normalization}/{self.objective}/seed-{self.seed}"


@dataclass(frozen=True)
class Job:
    """One training of a grid.

    Attributes:
        path: folder below the directory of the comparison; also the name of the job.
        kind: ``source`` trains on the source alone, for all cells of a task and seed; ``cell`` adapts.
        config: configuration of the run.
        base: folder that relative paths of the configuration start from.
        after: path of the job that must finish first; None if there is none.
        key: cell of the grid; None for ``source``.
    """

    path: str
    kind: Literal["source", "cell"]
    config: RunConfig
    base: Path
    after: str | None = None
    key: Key | None = None

    @property
    def product(self) -> str:
        """The file that exists once the job is done."""
        return SOURCE_WEIGHTS if self.kind == "source" else RESULT


def plan_jobs(
    grid: GridConfig, out: Path, *, base: Path = Path(), data: Path | None = None
) -> list[Job]:
    """Plan all jobs of a grid, task by task; the source stages of a task come first.

    Args:
        grid: the grid.
        out: directory of the comparison.
        base: folder that relative paths of the grid start from.
        data: folder of the images of recipes, for tasks without a folder of their own.

    Raises:
        TrainingError: if the configuration of any run is invalid.
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
    """Check all jobs before any is run.

    Raises:
        ValueError: if images are missing, or an existing run has another configuration.
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
    # Built-in images cannot be missing, and rendering them takes seconds.
    sets = [*task.source, task.target, task.test, task.probe, task.validation]
    return any(isinstance(images, DatasetConfig) and images.built_in is None for images in sets)


def cell_keys(grid: GridConfig) -> list[Key]:
    """All cells of a grid; within a task by seed, so that a complete table exists early."""
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
        update={name: getattr(defaults, name) for name in _ADAPTATION_ONLY}
    )
    plain = {"normalization": Normalization(kind="bn"), "objectives": (), "training": training}
    return config.model_copy(update={"name": f"source, seed {config.seed}", **plain})


def _expand(
    grid: GridConfig, task: TaskEntry, base: Path, data: Path | None
) -> tuple[dict[str, Any], Path]:
    """The configuration from the base of a task, and the folder that its relative paths start from."""
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
            f"task {task.name}: {name} is not a recipe with domains: set its task.source and"
            " task.target instead, e.g. set: {task.target.path: FOLDER}"
        )
    return copy.deepcopy(raw), folder


def _read(name: str, base: Path) -> tuple[dict[str, Any], Path]:
    own = base / Path(name).expanduser()
    return read_mapping(str(own) if own.is_file() else name)
