"""A run from beginning to end: train on the source, adapt, measure, write."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import nn

from rn_model.layers import Normalization
from rn_model.layers.distributed import rank, world_size
from rn_model.training.config import RunConfig
from rn_model.training.context import (
    SOURCE_WEIGHTS,
    Workshop,
    image_fingerprints,
    load_source,
    new_network,
    open_workshop,
    plan_network,
    save_source,
)
from rn_model.training.errors import Interrupted
from rn_model.training.evaluation.checkpoint_selection import Keeper
from rn_model.training.evaluation.measurement import measure, source_accuracy
from rn_model.training.finalization import finish
from rn_model.training.processes.failures import on_first, one_line
from rn_model.training.processes.interruption import Interruption
from rn_model.training.records.checkpoint import load_checkpoint, save_checkpoint
from rn_model.training.records.history import History
from rn_model.training.records.run_folder import claim
from rn_model.training.result import Result
from rn_model.training.stages.adaptation import adapt_stage, adapted_network
from rn_model.training.stages.loop import STAGES, Loop, Stage


def train(
    config: RunConfig,
    out: Path,
    *,
    base: Path = Path(),
    resume: bool = False,
    amended: Collection[str] = (),
    console: Console | None = None,
    tensorboard: bool = True,
) -> Result:
    """Run a configuration and write a directory that ``rn export`` and ``rn report`` take.

    Args:
        config: of the run.
        out: the directory, new or empty; with ``resume``, that of the same run, which then goes on
            where its last checkpoint was written, bit for bit.
        base: folder that relative paths of the configuration begin at.
        resume: see ``out``.
        amended: names of settings that were changed on purpose to get over what stopped the run; see
            :data:`rn_model.training.records.run_folder.AMENDABLE`.
        console: where progress is shown; None to be silent.
        tensorboard: whether event files are written.

    Raises:
        TrainingError: if something has to be changed first, in one line.
        ValueError: if images, network or options do not fit, in one line.
        Interrupted: if SIGINT or SIGTERM came; the run can be resumed.
    """
    with _opened(config, out, base, resume, amended, console, tensorboard) as run:
        return Result.read(out) or run.train()


def train_source(
    config: RunConfig,
    out: Path,
    *,
    base: Path = Path(),
    resume: bool = False,
    console: Console | None = None,
) -> Path:
    """Only the training on the source of a configuration, for several runs to begin with.

    Returns:
        The file of weights, which is ``start`` of those runs.

    Raises:
        as :func:`train`.
    """
    path = out / SOURCE_WEIGHTS
    with _opened(config, out, base, resume, (), console, False) as run:
        if not path.is_file():
            run.train_source()
    return path


@contextmanager
def _opened(
    config: RunConfig,
    out: Path,
    base: Path,
    resume: bool,
    amended: Collection[str],
    console: Console | None,
    tensorboard: bool,
) -> Iterator["_Run"]:
    with Interruption(tell=console is not None) as interruption:
        workshop = open_workshop(config, base)
        # What cannot be made must not leave a directory that is then taken.
        plan_network(config, workshop.task, config.normalization, base)
        changes: list[str] = []

        def take() -> None:
            changes.extend(claim(out, config, resume=resume, amended=amended))

        on_first(workshop.fabric, take)
        active = rank() == 0
        with one_line(), History(out, console, active=active, tensorboard=tensorboard) as history:
            for line in workshop.task.skipped:
                history.say(f"  left out: {line}")
            yield _Run(workshop, out, base, history, interruption, changes)


class _Run:
    def __init__(
        self,
        workshop: Workshop,
        out: Path,
        base: Path,
        history: History,
        interruption: Interruption,
        changes: list[str],
    ) -> None:
        self._workshop = workshop
        self._out = out
        self._base = base
        self._history = history
        self._interruption = interruption
        self._changes = changes
        self._began = time.perf_counter()
        self._oracle: float | None = None

    def train(self) -> Result:
        state = self._checkpoint()
        floor = self._source_stage(state)
        network = self._start(adapted_network(self._workshop, self._base))
        stage = adapt_stage(self._workshop, network, Keeper(floor, last=self._last), self._evaluate)
        self._run(stage, state, floor)
        stage.keeper.restore(network)
        self._stop_if_asked()
        trained = {
            "chosen_step": stage.keeper.step or 0,
            "seconds": time.perf_counter() - self._began,
            "oracle_best": self._oracle,
        }
        reader = replace(self._workshop.reader, before_batch=self._stop_if_alone)
        workshop = replace(self._workshop, reader=reader)
        return finish(workshop, network, self._out, self._base, trained)

    def _stop_if_asked(self) -> None:
        if self._interruption.due(self._workshop.fabric.device):
            steps = self._workshop.config.training.steps
            raise Interrupted(f"stopped after step {steps} of {steps} (adapt)")

    def _stop_if_alone(self) -> None:
        # Several processes do not read equally many batches, so they could not agree.
        if world_size() == 1:
            self._stop_if_asked()

    def train_source(self) -> None:
        self._source_stage(self._checkpoint())

    def _checkpoint(self) -> dict[str, Any] | None:
        state = load_checkpoint(self._out)
        if state is None:
            self._history.forget_after(STAGES, None, 0)
        else:
            place = {"stage": state["stage"], "step": state["step"]}
            self._history.forget_after(STAGES, **place)
            self._oracle = state["oracle"]
            old = state.get("images")
            new = image_fingerprints(self._workshop.task)
            changed = [name for name, value in new.items() if old and old.get(name) != value]
            notes = [*self._changes, *(f"the images of {name} have changed" for name in changed)]
            for note in notes:
                self._history.say(f"  from step {state['step']} on: {note}")
            if notes:
                self._history.amendment({**place, "changes": notes})
        return state

    @property
    def _last(self) -> bool:
        return self._workshop.config.training.keep == "last"

    def _source_stage(self, state: dict[str, Any] | None) -> float | None:
        """Train on the source unless that was done; its accuracy on held-out source images."""
        if state is not None and state["stage"] == "adapt":
            return state["floor"]  # type: ignore[no-any-return]
        config = self._workshop.config
        network = new_network(self._workshop, Normalization(kind="bn"), self._base)
        if config.start is not None:
            load_source(self._base / config.start, network)
        elif config.training.source_steps == 0:
            return None
        else:
            stage = Stage(
                name="source",
                steps=config.training.source_steps,
                network=network,
                sets={"source": list(self._workshop.sources)},
                objectives=[],
                views=self._workshop.views,
                keeper=Keeper(None, last=True),
                evaluate=lambda step: self._evaluate("source", network, None, step),
            )
            self._run(stage, state, None)
            on_first(self._workshop.fabric, partial(save_source, self._out, network))
        most = config.training.evaluation_images
        return source_accuracy(network, self._workshop.task, self._workshop.reader, most)

    def _start(self, network: nn.Module) -> nn.Module:
        path = self._workshop.config.start
        if path is not None:
            load_source(self._base / path, network)
        elif (self._out / SOURCE_WEIGHTS).is_file():
            load_source(self._out / SOURCE_WEIGHTS, network)
        return network

    def _run(self, stage: Stage, state: dict[str, Any] | None, floor: float | None) -> None:
        config = self._workshop.config

        def save(checkpoint: dict[str, Any]) -> None:
            whole = {
                **checkpoint,
                "oracle": self._oracle,
                "floor": floor,
                "images": image_fingerprints(self._workshop.task),
            }
            on_first(self._workshop.fabric, partial(save_checkpoint, self._out, whole))

        training = config.training
        if config.backbone.weights_file is None:
            training = training.model_copy(update={"backbone_rate": 1.0})
        loop = Loop(
            stage,
            self._workshop.fabric,
            training,
            config.seed,
            self._history,
            save,
            self._interruption,
        )
        own = state if state is not None and state["stage"] == stage.name else None
        loop.run(own)

    def _evaluate(
        self, name: str, network: nn.Module, keeper: Keeper | None, step: int
    ) -> dict[str, Any]:
        workshop, training = self._workshop, self._workshop.config.training
        measured = measure(
            network,
            workshop.task,
            workshop.reader,
            training.evaluation_images,
            most_labelled=training.population_images,
        )
        if keeper is not None:
            keeper.offer(network, measured.candidate, step)
            if measured.oracle is not None:
                self._oracle = max(measured.oracle, self._oracle or 0.0)
        return {"stage": name, **measured.entry()}
