"""The example from beginning to end: several ways to meet handwriting with a model of printed digits."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from rn_model.convert import convert_reciprocal_norm
from rn_model.digits.data import PREPROCESSING, source_images, target_images
from rn_model.digits.network import DigitNet
from rn_model.domain_norm import domain_norms, set_branch
from rn_model.evaluation import accuracy, predict, set_population_moments
from rn_model.images import Images, normalize_unit, to_input, to_unit
from rn_model.population import estimate_moments
from rn_model.results import Row
from rn_model.selection import choose, score_predictions
from rn_model.training import Objective, Report, TrainingConfig, train_adaptation, train_source

SOURCE_ONLY, ADABN, RN = "source only", "AdaBN", "RN"
NETWORK = {"num_classes": 10, "channels": 1, "size": 16, "width": 16, "bottleneck": 128}


@dataclass(frozen=True)
class ExperimentConfig:
    """How the example is run.

    Attributes:
        training: of RN, without an objective and with each one.
        objectives: that are tried; the label-free scores choose among them.
        source_training: of the network with BatchNorm that all others start from.
        source_count: rendered digits to train on.
        validation_count: more of them, to check accuracy on the source with.
    """

    training: TrainingConfig = field(default_factory=TrainingConfig)
    objectives: tuple[Objective, ...] = ("mcc", "mcc+cdan")
    source_training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(steps=400, learning_rate=0.05, batch_size=64)
    )
    source_count: int = 5000
    validation_count: int = 1000

    def with_seed(self, seed: int) -> "ExperimentConfig":
        """The same with another seed for everything."""
        return replace(
            self,
            training=replace(self.training, seed=seed),
            source_training=replace(self.source_training, seed=seed),
        )


@dataclass(frozen=True)
class Data:
    """The images of the example; only ``target.labels`` are not for training and choosing."""

    source: Images
    validation: Images
    target: Images


@dataclass(frozen=True)
class Outcome:
    """What an experiment found.

    Attributes:
        rows: one a model, in the order in which they were made.
        models: by the names of the rows, converted to RN, in evaluation mode; the target branch is
            what the row's accuracy was measured with.
        chosen: the name of the row that the label-free scores prefer.
        data: the images.
    """

    rows: list[Row]
    models: dict[str, nn.Module]
    chosen: str
    data: Data


def load_data(config: ExperimentConfig) -> Data:
    """Render the source and read the target."""
    seed = config.training.seed
    return Data(
        source=source_images(config.source_count, seed=2 * seed),
        validation=source_images(config.validation_count, seed=2 * seed + 1),
        target=target_images(),
    )


def run_experiment(
    config: ExperimentConfig, report: Callable[[str], Report] = lambda name: _silent
) -> Outcome:
    """Train the models of the example one after the other and choose among them.

    The same seed gives the same outcome on the same machine with the same number of threads.

    Args:
        report: called with a model's name before it is trained; what it returns is called after
            every step.
    """
    data = load_data(config)
    models = _Models(data)
    source_only = _train_source_only(config, models, report(SOURCE_ONLY))
    began = time.perf_counter()
    adabn = copy.deepcopy(source_only)
    models.estimate(adabn)
    models.add(ADABN, adabn, began)
    for name, training in _trainings(config).items():
        began = time.perf_counter()
        model = copy.deepcopy(source_only)
        train_adaptation(
            model, models.source, models.labels, models.target, normalize, training, report(name)
        )
        models.estimate(model)
        models.add(name, model, began)
    candidates = {row.name: row.candidate() for row in models.rows}
    return Outcome(models.rows, models.models, choose(candidates), data)


def normalize(x: Tensor) -> Tensor:
    """Images from 0 to 1 as the networks of the example take them."""
    return normalize_unit(x, PREPROCESSING)


def _trainings(config: ExperimentConfig) -> dict[str, TrainingConfig]:
    trainings = {RN: replace(config.training, objective="none")}
    for objective in config.objectives:
        trainings[f"{RN} + {objective}"] = replace(config.training, objective=objective)
    return trainings


def _train_source_only(config: ExperimentConfig, models: "_Models", report: Report) -> nn.Module:
    began = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.source_training.seed)
        model: nn.Module = DigitNet(**NETWORK)
    train_source(model, models.source, models.labels, normalize, config.source_training, report)
    model = convert_reciprocal_norm(model)
    estimate_moments(model, partial(torch.split, normalize(models.source), 512), "source")
    for _, layer in domain_norms(model):
        layer.set_running("target", layer.running("source"), num_images=0)
    models.add(SOURCE_ONLY, model, began)
    return model


class _Models:
    """The data as tensors, and the models made of it so far with their rows."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.source = to_unit(data.source.pixels)
        self.labels = torch.from_numpy(data.source.labels)
        self.target = to_unit(data.target.pixels)
        self.rows: list[Row] = []
        self.models: dict[str, nn.Module] = {}

    def estimate(self, model: nn.Module) -> None:
        set_population_moments(model, normalize(self.source), normalize(self.target))

    def add(self, name: str, model: nn.Module, began: float) -> None:
        model.eval()
        validation = self.data.validation
        set_branch(model, "source")
        on_source = predict(model, to_input(validation.pixels, PREPROCESSING))
        set_branch(model, "target")
        on_target = predict(model, normalize(self.target))
        scores = score_predictions(on_target)
        labels = torch.from_numpy(self.data.target.labels)
        row = Row(
            name=name,
            oracle_target_accuracy=accuracy(on_target, labels),
            source_accuracy=accuracy(on_source, torch.from_numpy(validation.labels)),
            information=scores.information,
            nuclear_norm=scores.nuclear_norm,
            seconds=time.perf_counter() - began,
        )
        self.rows.append(row)
        self.models[name] = model


def _silent(step: int, steps: int, loss: float) -> None:
    pass
