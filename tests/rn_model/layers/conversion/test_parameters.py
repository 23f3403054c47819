from typing import get_args

import pytest
import torch

from rn_model.layers import (
    AutoDial,
    CommonCenterNorm,
    Normalization,
    NormalizationName,
    convert_normalization,
    parameter_groups,
    project_parameters,
)
from tests.networks import SmallNet

GATES = {"rn": 8, "autodial": 2, "ccn": 2}


@pytest.mark.parametrize("kind", get_args(NormalizationName))
def test_gates_and_shares_take_no_weight_decay(kind: NormalizationName) -> None:
    model = convert_normalization(SmallNet(), Normalization(kind=kind))
    groups = parameter_groups(model, weight_decay=0.1)
    assert groups[0]["weight_decay"] == 0.1
    spared = [p for group in groups[1:] for p in group["params"]]
    assert all(group["weight_decay"] == 0 for group in groups[1:])
    assert len(spared) == GATES.get(kind, 0)
    every = [id(p) for group in groups for p in group["params"]]
    assert sorted(every) == sorted(map(id, model.parameters()))


def test_shares_and_gates_are_moved_into_their_ranges() -> None:
    shares = convert_normalization(SmallNet(), Normalization(kind="autodial"))
    centers = convert_normalization(SmallNet(), Normalization(kind="ccn"))
    gates = convert_normalization(SmallNet(), Normalization(gate_floor=0.1))
    for model, floor in ((shares, 0.5), (centers, 0.5), (gates, 0.1)):
        names = [n for n, _ in model.named_parameters() if "alpha" in n or "gate" in n]
        assert names
        for value, inside in ((-3.0, floor), (0.7, 0.7), (1.4, 1.0)):
            with torch.no_grad():
                for name in names:
                    model.get_parameter(name).fill_(value)
            project_parameters(model)
            for name in names:
                parameter = model.get_parameter(name)
                assert torch.equal(parameter, torch.full_like(parameter, inside))


@pytest.mark.parametrize("kind", [AutoDial, CommonCenterNorm])
@pytest.mark.parametrize(("outside", "inside"), [(-3.0, 0.5), (7.0, 1.0)])
def test_a_share_outside_of_the_range_acts_as_its_end(
    kind: type[AutoDial | CommonCenterNorm], outside: float, inside: float
) -> None:
    maps = []
    for value in (outside, inside):
        layer = kind(3).eval()
        layer.running("source").mean.copy_(torch.tensor([1.0, 2.0, 5.0]))
        torch.nn.init.constant_(layer.alpha, value)
        maps.append(layer.scale_and_shift())
    torch.testing.assert_close(maps[0], maps[1])
