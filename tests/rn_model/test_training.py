import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from rn_model.convert import convert_reciprocal_norm
from rn_model.domain_norm import domain_norms
from rn_model.evaluation import accuracy, predict, set_population_moments
from rn_model.reciprocal_norm import ReciprocalNorm2d
from rn_model.training import Objective, TrainingConfig, train_adaptation, train_source

CONFIG = TrainingConfig(steps=3, batch_size=8)


class _Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4 * 9, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x).flatten(1))
        return logits


def _network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _Tiny()


def _adapting_network() -> nn.Module:
    return convert_reciprocal_norm(_network())


def _bars(count: int) -> tuple[Tensor, Tensor]:
    """Vertical bars are of class 0, horizontal ones of class 1."""
    generator = torch.Generator().manual_seed(count)
    labels = torch.arange(count) % 2
    images = torch.zeros(count, 1, 8, 8)
    for image, label in zip(images, labels, strict=True):
        place = int(torch.randint(1, 7, (), generator=generator))
        if label == 0:
            image[0, :, place] = 1
        else:
            image[0, place, :] = 1
    return images, labels


def _unchanged(x: Tensor) -> Tensor:
    return x


def _adapt(model: nn.Module, config: TrainingConfig) -> nn.Module:
    images, labels = _bars(31)
    train_adaptation(model, images, labels, 0.5 * images[:17] + 0.2, _unchanged, config)
    return model


def _gates(model: nn.Module) -> Tensor:
    return torch.cat(
        [p.detach() for name, p in model.named_parameters() if name.split(".")[-1][:4] == "gate"]
    )


def test_source_training_learns() -> None:
    images, labels = _bars(64)
    model = _network()
    train_source(model, images, labels, _unchanged, replace(CONFIG, steps=60, source_views=0.2))
    assert accuracy(predict(model, images), labels) > 0.9


@pytest.mark.parametrize("objective", ["none", "mcc", "cdan", "mcc+cdan"])
def test_the_same_seed_trains_the_same(objective: Objective) -> None:
    config = replace(CONFIG, objective=objective, seed=5)
    torch.manual_seed(98)
    first = _adapt(_adapting_network(), config).state_dict()
    torch.manual_seed(99)
    second = _adapt(_adapting_network(), config).state_dict()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_every_objective_trains_differently() -> None:
    objectives: list[Objective] = ["none", "mcc", "cdan", "mcc+cdan"]
    heads = [
        _adapt(_adapting_network(), replace(CONFIG, objective=objective)).get_parameter(
            "head.weight"
        )
        for objective in objectives
    ]
    for i, head in enumerate(heads):
        for other in heads[:i]:
            assert not torch.equal(head, other)


def test_weight_decay_spares_the_gates() -> None:
    config = replace(CONFIG, steps=1, learning_rate=0.1)
    free = _adapt(_adapting_network(), replace(config, weight_decay=0.0))
    decayed = _adapt(_adapting_network(), replace(config, weight_decay=5.0))
    assert len(_gates(free)) == 16
    torch.testing.assert_close(_gates(free), _gates(decayed))
    head = "head.weight"
    assert not torch.allclose(free.get_parameter(head), decayed.get_parameter(head))


def test_gates_stay_in_range() -> None:
    model = _adapt(_adapting_network(), replace(CONFIG, steps=10, learning_rate=50.0))
    gates = _gates(model)
    assert float(gates.min()) >= 0.5 and float(gates.max()) <= 1.0
    assert float(gates.min()) < 1.0


def test_a_step_tells_the_layers_their_domains() -> None:
    images, labels = _bars(20)
    model = _adapting_network()
    config = replace(CONFIG, steps=1, source_views=0, target_views=0, learning_rate=0.0)
    train_adaptation(model, images, labels, 3 + images, _unchanged, config)
    layer = next(layer for _, layer in domain_norms(model))
    assert int(layer.num_images_source) == int(layer.num_images_target) == 8
    assert not torch.allclose(layer.running("source").mean, layer.running("target").mean)


def test_progress_is_reported_after_every_step() -> None:
    seen: list[tuple[int, int]] = []
    images, labels = _bars(8)
    train_source(
        _network(), images, labels, _unchanged, CONFIG, lambda i, n, loss: seen.append((i, n))
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_population_moments_are_those_of_all_images() -> None:
    model = _adapt(_adapting_network(), CONFIG)
    before = copy.deepcopy(model)
    source, target = _bars(40)[0], _bars(30)[0] + 0.3
    set_population_moments(model, source, target)
    layer = model.get_submodule("body.1")
    assert isinstance(layer, ReciprocalNorm2d)
    activations = model.get_submodule("body.0")(target)
    expected = activations.mean(dim=(0, 2, 3)), activations.var(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(tuple(layer.running("target")), expected)
    assert int(layer.num_images_source) == 40 and int(layer.num_images_target) == 30
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before.get_parameter(name))


@pytest.mark.parametrize("change", [{"steps": 0}, {"batch_size": 1}])
def test_impossible_configurations_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        TrainingConfig(**change)  # type: ignore[arg-type]
