"""The training loop of one stage: steps, evaluations, checkpoints and interruption."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from bundle.text import describe_error
from rn_model.data import ImageSet
from rn_model.data.tensors import to_unit
from rn_model.layers import project_parameters
from rn_model.layers.distributed import rank, world_size
from rn_model.layers.domain_split import domain_split
from rn_model.layers.domains import DOMAINS, Domain
from rn_model.training.batches.loader import ImageBatch, training_batches
from rn_model.training.config import TrainingConfig
from rn_model.training.errors import Interrupted, TrainingError
from rn_model.training.processes.interruption import Interruption
from rn_model.training.records.history import History
from rn_model.training.seeds import combine_seeds
from rn_model.training.stages.losses import StepInputs, losses
from rn_model.training.stages.optimizer import learning_rate, make_optimizer, set_learning_rate
from rn_model.training.stages.stage import STAGES, Stage


class Loop:
    """Runs a stage from its beginning or from a checkpoint.

    Args:
        stage: stage to run.
        fabric: device, precision and processes.
        config: configuration of the training.
        seed: random seed of the run.
        history: receives an entry for every step and every evaluation.
        save: writes a checkpoint.
        interruption: checked after every step.
    """

    def __init__(
        self,
        stage: Stage,
        fabric: Fabric,
        config: TrainingConfig,
        seed: int,
        history: History,
        save: Callable[[dict[str, Any]], None],
        interruption: Interruption,
    ) -> None:
        self._stage = stage
        self._fabric = fabric
        self._config = config
        self._seed = combine_seeds(seed, STAGES[stage.name])
        self._history = history
        self._save = save
        self._interruption = interruption
        for weighted in stage.objectives:
            weighted.objective.to(fabric.device)
        trained = [weighted.objective for weighted in stage.objectives]
        network = stage.network
        if config.channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.compile:
            network = cast(nn.Module, torch.compile(network))
        optimizer = make_optimizer(stage.network, trained, config)
        self._model, self._optimizer = fabric.setup(network, optimizer)

    def run(self, state: dict[str, Any] | None) -> None:
        """Train for the remaining steps, or until ``patience`` runs out.

        Args:
            state: checkpoint to continue from; None to start at the first step.

        Raises:
            TrainingError: if a loss or a weight is not finite.
            Interrupted: if a signal arrived; a checkpoint has been written.
        """
        begin = self._load(state) if state is not None else 0
        stage, steps = self._stage, self._stage.steps
        self._history.begin_stage(stage.name, begin, steps)
        batches = {
            domain: self._batches(domain, sets, begin) for domain, sets in stage.sets.items()
        }
        every = self._config.evaluate_every or max(1, math.ceil(steps / 4))
        save_every = self._config.checkpoint_every or every
        saved = begin
        if self._out_of_patience():
            return
        self._model.train()
        for step in range(begin, steps):
            if stage.refresh is not None and step % max(1, stage.refresh_every) == 0:
                stage.refresh()
            self._train_step(step, batches)
            done = step + 1
            if done % every == 0 or done == steps:
                self._history.evaluation({"step": done, **stage.evaluate(done)})
            interrupted = self._interruption.due(self._fabric.device)
            if done % save_every == 0 or done == steps or interrupted or self._out_of_patience():
                self._check_weights(done)
                self._save(self._state(done))
                saved = done
            if interrupted and done < steps:
                raise Interrupted(f"stopped after step {saved} of {steps} ({stage.name})")
            if self._out_of_patience():
                self._history.say(f"  no better label-free score since step {stage.selector.step}")
                break
        self._history.end_stage()

    def _out_of_patience(self) -> bool:
        patience = self._config.patience
        return patience is not None and self._stage.selector.stale >= patience

    def _batches(self, domain: Domain, sets: list[ImageSet], begin: int) -> Iterator[ImageBatch]:
        factor = self._config.accumulate
        return training_batches(
            sets,
            self._config.batch_size,
            range(begin * factor, self._stage.steps * factor),
            seed=combine_seeds(self._seed, 1 if domain == "target" else 2),
            share=(rank(), world_size()),
            workers=self._config.workers,
        )

    def _train_step(self, step: int, batches: dict[Domain, Iterator[ImageBatch]]) -> None:
        began = time.perf_counter()
        config, steps = self._config, self._stage.steps
        rate = learning_rate(config, step, steps)
        if self._stage.name == "source":
            rate *= config.source_rate
        set_learning_rate(self._optimizer, rate)
        self._optimizer.zero_grad()
        sums: dict[str, float] = {}
        for part in range(config.accumulate):
            # All randomness of a step derives from its number, so that a resumed training repeats it.
            _seed(combine_seeds(self._seed, step, part, rank()), self._fabric.device)
            last = part == config.accumulate - 1
            with self._fabric.no_backward_sync(self._model, enabled=not last):
                for name, value in self._backward(step, batches).items():
                    sums[name] = sums.get(name, 0.0) + value / config.accumulate
        if config.clip is not None:
            self._fabric.clip_gradients(
                self._model, self._optimizer, max_norm=config.clip, error_if_nonfinite=False
            )
        self._optimizer.step()
        project_parameters(self._stage.network)
        images = config.batch_size * config.accumulate * len(batches)
        entry = {
            "stage": self._stage.name,
            "step": step + 1,
            "steps": steps,
            "loss": sum(sums.values()),
            "losses": sums,
            "learning_rate": rate,
            "images_per_second": images / (time.perf_counter() - began),
        }
        every = max(1, steps // 200)
        self._history.step(entry, keep=(step + 1) % every == 0 or step + 1 == steps)

    def _backward(self, step: int, batches: dict[Domain, Iterator[ImageBatch]]) -> dict[str, float]:
        inputs = self._inputs(batches)
        progress = step / self._stage.steps
        ramp = min(1.0, progress / self._config.ramp) if self._config.ramp > 0 else 1.0
        source, target = inputs.sizes
        # The backward pass, too: it runs layers again in a network with activation checkpointing.
        with domain_split(self._model, source=source, target=target):
            named = losses(
                self._model,
                inputs,
                self._stage.objectives,
                progress=progress,
                ramp=ramp,
                label_smoothing=self._config.label_smoothing,
            )
            values = dict(zip(named, torch.stack(list(named.values())).tolist(), strict=True))
            for name, value in values.items():
                if not math.isfinite(value):
                    raise self._diverged(f"the loss {name!r} is {value}", step + 1)
            total = torch.stack(list(named.values())).sum() / self._config.accumulate
            self._fabric.backward(total)
        return values

    def _check_weights(self, step: int) -> None:
        """Raise if a weight is not finite, so that no good checkpoint is overwritten."""
        state = self._stage.network.state_dict()
        broken = [name for name, value in state.items() if not bool(value.isfinite().all())]
        if broken:
            raise self._diverged(f"{broken[0]} is not finite", step)

    def _diverged(self, what: str, step: int) -> TrainingError:
        return TrainingError(
            f"{what} in step {step} of {self._stage.steps} ({self._stage.name}); the last checkpoint is"
            " intact: continue with --resume and --set training.learning_rate=VALUE (lower than"
            f" {self._config.learning_rate:g}), training.clip=VALUE or training.precision=32-true"
        )

    def _inputs(self, batches: dict[Domain, Iterator[ImageBatch]]) -> StepInputs:
        read: dict[Domain, ImageBatch] = {}
        views: list[Tensor] = []
        for domain in DOMAINS:
            if domain in batches:
                read[domain] = next(batches[domain]).to(self._fabric.device)
                unit = to_unit(read[domain].pixels)
                views.append(self._stage.views.augment[domain](unit) if len(unit) else unit)
        images = self._stage.views.normalize(torch.cat(views))
        if self._config.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        return StepInputs(images, read.get("source"), read.get("target"))

    def _state(self, step: int) -> dict[str, Any]:
        return {
            "stage": self._stage.name,
            "step": step,
            "network": self._stage.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "objectives": [w.objective.state_dict() for w in self._stage.objectives],
            "precision": self._fabric.strategy.precision.state_dict(),
            "keeper": self._stage.selector.state_dict(),
        }

    def _load(self, state: dict[str, Any]) -> int:
        try:
            return self._restore(state)
        except (RuntimeError, ValueError, KeyError) as error:
            line = describe_error(error, limit=200)
            raise TrainingError(
                "the checkpoint no longer fits this run: if images or code have changed, start again"
                f" in another directory ({line})"
            ) from error

    def _restore(self, state: dict[str, Any]) -> int:
        self._stage.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        for weighted, values in zip(self._stage.objectives, state["objectives"], strict=True):
            weighted.objective.load_state_dict(values)
        if state["precision"]:
            self._fabric.strategy.precision.load_state_dict(state["precision"])
        self._stage.selector.load_state_dict(state["keeper"])
        return int(state["step"])


def _seed(number: int, device: torch.device) -> None:
    # torch.manual_seed would also record a stack trace for every kind of device that is missing.
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)
