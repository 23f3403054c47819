"""Runs a training from beginning to end: source stage, adaptation, measurement, files."""

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
from rn_model.runs.selection import TOLERANCE, source_tolerance
from rn_model.training.config import RunConfig
from rn_model.training.context import RunContext, image_fingerprints, open_context
from rn_model.training.errors import Interrupted
from rn_model.training.evaluation.checkpoint_selection import CheckpointSelector
from rn_model.training.evaluation.measurement import measure, source_accuracy
from rn_model.training.finalization import finish
from rn_model.training.network import build_network, check_before_training
from rn_model.training.processes.failures import explained_failures, on_first
from rn_model.training.processes.interruption import Interruption
from rn_model.training.records.checkpoint import load_checkpoint, save_checkpoint
from rn_model.training.records.history import History
from rn_model.training.records.run_folder import claim
from rn_model.training.records.source_weights import SOURCE_WEIGHTS, load_source, save_source
from rn_model.training.result import Result
from rn_model.training.stages.adaptation import adaptation_stage
from rn_model.training.stages.loop import Loop
from rn_model.training.stages.source import source_stage
from rn_model.training.stages.stage import STAGES, Stage


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
    """Train as configured, and write a directory for ``rn export`` and ``rn report``.

    Args:
        config: configuration of the run.
        out: directory of the run: new or empty; with ``resume``, that of the same run, which then
            continues bit-exactly from its last checkpoint.
        base: folder that relative paths of the configuration start from.
        resume: whether to continue an existing run.
        amended: names of settings that were changed on purpose to overcome what stopped the run; see
            :func:`rn_model.training.records.run_folder.may_change`.
        console: terminal for progress; None for none.
        tensorboard: whether to write event files.

    Raises:
        TrainingError: if the user has to change something first.
        ValueError: if images, network or options are inconsistent.
        Interrupted: if SIGINT or SIGTERM arrived; the run can be resumed.
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
    """Run only the source stage of a configuration, with whose weights several runs can start.

    Arguments and errors are those of :func:`train`.

    Returns:
        The file of weights, to be used as ``start`` of other runs.
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
    with Interruption(acknowledge=console is not None) as interruption:
        context = open_context(config, base)
        # A network that cannot be made must not leave a directory that is then in use.
        network = build_network(config, context.task, config.normalization, base)
        check_before_training(config, network)
        changes: list[str] = []

        def claim_directory() -> None:
            changes.extend(claim(out, config, resume=resume, amended=amended))

        on_first(context.fabric, claim_directory)
        active = rank() == 0
        with (
            explained_failures(),
            History(out, console, active=active, tensorboard=tensorboard) as history,
        ):
            for line in context.task.skipped:
                history.say(f"  skipped: {line}")
            for line in context.task.notes:
                history.say(f"  note: {line}")
            yield _Run(context, out, history, interruption, changes)


class _Run:
    def __init__(
        self,
        context: RunContext,
        out: Path,
        history: History,
        interruption: Interruption,
        changes: list[str],
    ) -> None:
        self._context = context
        self._out = out
        self._history = history
        self._interruption = interruption
        self._changes = changes
        self._began = time.perf_counter()
        self._best_oracle: float | None = None

    def train(self) -> Result:
        context = self._context
        state = self._load_checkpoint()
        floor = self._source_stage(state)
        network = context.new_network(context.config.normalization)
        self._load_source(network)
        selector = self._selector(floor)
        evaluate = partial(self._evaluate, "adapt", network, selector)
        # The source-only network is a candidate, too: as it was trained, and with target statistics.
        first = floor is not None and (state is None or state["stage"] != "adapt")
        if first:
            entry = evaluate(0, target_statistics=False)
            self._history.evaluation({"step": 0, "statistics": "source", **entry})
        stage = adaptation_stage(context, network, selector, evaluate)
        if first:
            self._history.evaluation({"step": 0, "statistics": "target", **evaluate(0)})
        self._run(stage, state, floor)
        selector.restore(network)
        self._stop_if_asked()
        trained = {
            "chosen_step": selector.step or 0,
            "target_statistics": selector.target_statistics,
            "seconds": time.perf_counter() - self._began,
            "oracle_best": self._best_oracle,
        }
        reader = replace(context.reader, before_batch=self._stop_if_alone)
        return finish(replace(context, reader=reader), network, self._out, trained)

    def _selector(self, floor: float | None) -> CheckpointSelector:
        training = self._context.config.training
        images = min(len(self._context.task.validation), training.evaluation_images)
        tolerance = TOLERANCE if floor is None else source_tolerance(floor, images)
        return CheckpointSelector(floor, last=training.keep == "last", tolerance=tolerance)

    def train_source(self) -> None:
        self._source_stage(self._load_checkpoint())

    def _stop_if_asked(self) -> None:
        if self._interruption.due(self._context.fabric.device):
            steps = self._context.config.training.steps
            raise Interrupted(f"stopped after step {steps} of {steps} (adapt)")

    def _stop_if_alone(self) -> None:
        # Several processes read different numbers of batches, so they could not agree to stop.
        if world_size() == 1:
            self._stop_if_asked()

    def _load_checkpoint(self) -> dict[str, Any] | None:
        state = load_checkpoint(self._out)
        if state is None:
            self._history.forget_after(STAGES, None, 0)
        else:
            place = {"stage": state["stage"], "step": state["step"]}
            self._history.forget_after(STAGES, **place)
            self._best_oracle = state["oracle"]
            old = state.get("images")
            new = image_fingerprints(self._context.task)
            changed = [name for name, value in new.items() if old and old.get(name) != value]
            notes = [*self._changes, *(f"the images of {name} have changed" for name in changed)]
            for note in notes:
                self._history.say(f"  from step {state['step']} on: {note}")
            if notes:
                self._history.amendment({**place, "changes": notes})
        return state

    def _source_stage(self, state: dict[str, Any] | None) -> float | None:
        """Run the source stage unless done; return the accuracy on held-out source images."""
        if state is not None and state["stage"] == "adapt":
            return state["floor"]  # type: ignore[no-any-return]
        context, config = self._context, self._context.config
        network = context.new_network(Normalization(kind="bn"))
        if config.start is not None:
            load_source(context.base / config.start, network)
        elif config.training.source_steps == 0:
            return None
        else:
            evaluate = partial(self._evaluate, "source", network, None)
            self._run(source_stage(context, network, evaluate), state, None)
            on_first(context.fabric, partial(save_source, self._out, network))
        return source_accuracy(
            network, context.task, context.reader, config.training.evaluation_images
        )

    def _load_source(self, network: nn.Module) -> None:
        path = self._context.config.start
        if path is not None:
            load_source(self._context.base / path, network)
        elif (self._out / SOURCE_WEIGHTS).is_file():
            load_source(self._out / SOURCE_WEIGHTS, network)

    def _run(self, stage: Stage, state: dict[str, Any] | None, floor: float | None) -> None:
        context, config = self._context, self._context.config

        def save(checkpoint: dict[str, Any]) -> None:
            whole = {
                **checkpoint,
                "oracle": self._best_oracle,
                "floor": floor,
                "images": image_fingerprints(context.task),
            }
            on_first(context.fabric, partial(save_checkpoint, self._out, whole))

        training = config.training
        if config.backbone.within(context.base).weights_file is None:
            training = training.model_copy(update={"backbone_rate": 1.0})
        loop = Loop(
            stage, context.fabric, training, config.seed, self._history, save, self._interruption
        )
        own = state if state is not None and state["stage"] == stage.name else None
        loop.run(own)

    def _evaluate(
        self,
        name: str,
        network: nn.Module,
        selector: CheckpointSelector | None,
        step: int,
        *,
        target_statistics: bool = True,
    ) -> dict[str, Any]:
        training = self._context.config.training
        measured = measure(
            network,
            self._context.task,
            self._context.reader,
            training.evaluation_images,
            max_labelled=training.population_images,
        )
        if selector is not None:
            selector.offer(network, measured.candidate, step, target_statistics=target_statistics)
            if measured.oracle is not None:
                self._best_oracle = max(measured.oracle, self._best_oracle or 0.0)
        return {"stage": name, **measured.entry()}
