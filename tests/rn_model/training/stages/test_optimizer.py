import math
from typing import Any

import pytest
import torch
from torch import nn

from rn_model.backbones.classifier import final_linear
from rn_model.digits.lenet import LeNet
from rn_model.layers import Normalization, convert_normalization
from rn_model.layers.conversion.config import NormalizationName
from rn_model.training.config import TrainingConfig
from rn_model.training.stages.optimizer import learning_rate, make_optimizer, set_learning_rate


def _config(**changes: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"learning_rate": 0.2, **changes})


def test_schedules() -> None:
    steps = 100
    cosine, inverse, constant = (
        [learning_rate(_config(schedule=schedule), step, steps) for step in range(steps)]
        for schedule in ("cosine", "inverse", "constant")
    )
    assert cosine[0] == inverse[0] == 0.2
    assert cosine[50] == pytest.approx(0.1)
    assert cosine[99] < 1e-4
    assert inverse[50] == pytest.approx(0.2 / 6**0.75)
    assert set(constant) == {0.2}
    assert cosine == sorted(cosine, reverse=True) and inverse == sorted(inverse, reverse=True)


def test_warmup_grows_in_equal_steps_to_the_schedule() -> None:
    config = _config(schedule="constant", warmup=3)
    rates = [learning_rate(config, step, 10) for step in range(5)]
    assert rates == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.2])


def _groups(
    kind: NormalizationName = "rn", **changes: Any
) -> tuple[nn.Module, nn.Module, list[dict[str, Any]]]:
    network = convert_normalization(LeNet(width=2, bottleneck=4), Normalization(kind=kind))
    objective = nn.Linear(2, 2)
    config = _config(backbone_rate=0.25, gate_rate=3.0, weight_decay=0.01, **changes)
    optimizer = make_optimizer(network, [objective], config)
    set_learning_rate(optimizer, 0.1)
    return network, objective, optimizer.param_groups


def test_every_parameter_is_trained_once() -> None:
    network, objective, groups = _groups()
    trained = [id(parameter) for group in groups for parameter in group["params"]]
    expected = [*network.parameters(), *objective.parameters()]
    assert sorted(trained) == sorted(map(id, expected))


@pytest.mark.parametrize("kind", ["rn", "autodial"])
def test_gates_have_a_rate_of_their_own_and_no_weight_decay(kind: NormalizationName) -> None:
    network, _, groups = _groups(kind)
    gates = {
        id(parameter)
        for name, parameter in network.named_parameters()
        if "gate" in name or "alpha" in name
    }
    assert gates
    for group in groups:
        members = {id(parameter) for parameter in group["params"]}
        assert members <= gates or not members & gates
        assert group["weight_decay"] == (0.0 if members & gates else 0.01)
        if members & gates:
            assert math.isclose(group["lr"], 0.3)


def test_objectives_learn_at_the_full_rate() -> None:
    _, objective, groups = _groups()
    own = id(objective.weight)
    (group,) = [g for g in groups if own in {id(parameter) for parameter in g["params"]}]
    assert group["lr"] == 0.1


def test_frozen_parameters_are_omitted() -> None:
    network = LeNet(width=2, bottleneck=4)
    for parameter in final_linear(network).parameters():
        parameter.requires_grad_(False)
    optimizer = make_optimizer(network, [], _config())
    trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert not trained & {id(parameter) for parameter in final_linear(network).parameters()}


def test_without_momentum_it_is_plain_descent() -> None:
    layer = nn.Linear(1, 1, bias=False)
    network = nn.Sequential(layer)
    optimizer = make_optimizer(network, [], _config(momentum=0.0, weight_decay=0.0))
    set_learning_rate(optimizer, 1.0)
    before = layer.weight.item()
    network(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    assert before - layer.weight.item() == pytest.approx(optimizer.param_groups[0]["rate"])
