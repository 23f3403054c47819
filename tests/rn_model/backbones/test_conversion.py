"""Networks of all libraries convert to every normalization."""

import copy
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rn_model import domain_split
from rn_model.backbones import make_network
from rn_model.layers import Normalization, NormalizationName, convert_normalization
from tests.rn_model.backbones.networks import CONFIGS

KINDS: tuple[NormalizationName, ...] = ("bn", "adabn", "autodial", "dsbn", "transnorm", "ccn", "rn")
FASTEST = ("timm densenet", "timm efficientnet", "transformers resnet")


@cache
def _images() -> Tensor:
    return torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@cache
def _trained(name: str) -> nn.Module:
    """A network with running statistics other than the initial ones; tests must not change it."""
    torch.manual_seed(0)
    network = make_network(CONFIGS[name], 4, 3)
    with torch.no_grad():
        network(_images())
    return network.eval()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "transnorm"])
@pytest.mark.parametrize("name", CONFIGS)
def test_conversion_leaves_what_a_network_computes(name: str, kind: NormalizationName) -> None:
    with torch.no_grad():
        before = _trained(name)(_images())
        model = convert_normalization(copy.deepcopy(_trained(name)), Normalization(kind=kind))
        torch.testing.assert_close(model.eval()(_images()), before, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, "rn") for name in CONFIGS]
    + [(name, kind) for name in FASTEST for kind in KINDS if kind != "rn"],
)
def test_a_training_step_reaches_every_parameter(name: str, kind: NormalizationName) -> None:
    model = convert_normalization(copy.deepcopy(_trained(name)), Normalization(kind=kind)).train()
    with domain_split(model, source=3, target=2):
        logits = model(_images())
        loss = F.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 0]))
        loss.backward()  # type: ignore[no-untyped-call]
    assert logits.shape == (5, 4)
    for parameter in model.parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()
