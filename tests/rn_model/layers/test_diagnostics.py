import math

import pytest
import torch
from torch import nn

from rn_model.layers import Normalization, NormalizationName, convert_normalization
from rn_model.layers.diagnostics import layer_diagnostics
from rn_model.layers.domain_norm import domain_norms
from rn_model.layers.moments import Moments

MEANS = torch.tensor([0.0, 50.0])


def network(kind: NormalizationName) -> nn.Module:
    model = convert_normalization(nn.Sequential(nn.BatchNorm2d(2)), Normalization(kind=kind))
    for _, layer in domain_norms(model):
        layer.set_running("source", Moments(MEANS, torch.tensor([1.0, 4.0])), 1)
        layer.set_running("target", Moments(MEANS + 3, torch.tensor([1.0, 12.0])), 1)
    return model


@pytest.mark.parametrize("kind", ["bn", "adabn", "dsbn", "transnorm"])
def test_how_far_the_domains_are_apart(kind: NormalizationName) -> None:
    (found,) = layer_diagnostics(network(kind))
    assert (found.name, found.channels) == ("0", 2)
    assert found.shift_mean == pytest.approx((3 + 3 / math.sqrt(8)) / 2, rel=1e-4)
    assert found.shift_variance == pytest.approx(math.log(3) / 2, rel=1e-4)
    rest = found.model_dump(exclude={"name", "channels", "shift_mean", "shift_variance"})
    assert set(rest.values()) == {None}


@pytest.mark.parametrize("kind", ["autodial", "ccn"])
def test_a_share_is_reported(kind: NormalizationName) -> None:
    model = network(kind)
    with torch.no_grad():
        model.get_parameter("0.alpha").fill_(0.75)
    (found,) = layer_diagnostics(model)
    assert found.alpha == 0.75
    assert found.gate_mean is None


def test_reciprocal_norm_has_gates_and_perplexities() -> None:
    model = network("rn")
    with torch.no_grad():
        model.get_parameter("0.gate_mean_target").copy_(torch.tensor([0.5, 0.7]))
        model.get_parameter("0.gate_var_target").fill_(0.9)
    (found,) = layer_diagnostics(model)
    assert found.gate_mean == pytest.approx(0.6)
    assert found.gate_variance == pytest.approx(0.9)
    assert found.alpha is None
    # The means are far apart, so each row sees one. For the variances, the row of 1 sees e^0 and
    # e^-9, the row of 12 sees e^-121 and e^-64.
    assert found.perplexity_mean == pytest.approx(1.0)
    p = 1 / (1 + math.exp(-9))
    first = math.exp(-p * math.log(p) - (1 - p) * math.log(1 - p))
    assert found.perplexity_variance == pytest.approx((first + 1) / 2, abs=1e-6)
