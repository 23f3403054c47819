"""Any small network with any normalization, moments, gates and groups is exported exactly."""

from typing import Any

import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rn_model import Normalization, convert_normalization
from rn_model.layers.domain_norm import domain_norms
from tests.export.exactness import (
    check_observation,
    check_predictions,
    check_refolding,
    check_weights,
    exported,
)
from tests.networks import shake

# Every run draws other networks.
_EXAMPLES = 5
# Shrinking a failing network would export hundreds of networks.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


class Residual(nn.Module):
    """A branch that is added to its own input, and a norm of the sum."""

    def __init__(self, branch: nn.Module, channels: int) -> None:
        super().__init__()
        self.branch = branch
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x + self.branch(x))
        return y


def _layer(draw: st.DrawFn, channels: int, out: int, *, padded: bool) -> nn.Module:
    size = 3 if padded else draw(st.sampled_from([1, 2]))
    groups = draw(st.sampled_from([1, 2, 4]))
    options: dict[str, Any] = {"groups": groups, "bias": draw(st.booleans())}
    if not padded and draw(st.booleans()):
        return nn.ConvTranspose2d(channels, out, size, **options)
    return nn.Conv2d(channels, out, size, padding=size // 2 if padded else 0, **options)


def _block(draw: st.DrawFn, channels: int) -> tuple[nn.Module, int]:
    out = draw(st.sampled_from([4, 8]))
    kind = draw(st.sampled_from(["after", "before", "both", "sum", "pooled", "alone"]))
    padded = draw(st.booleans())
    if kind == "sum":
        return Residual(_layer(draw, channels, channels, padded=True), channels), channels
    if kind == "alone":
        return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()), channels
    layer = _layer(draw, channels, out, padded=padded)
    before, after = nn.BatchNorm2d(channels), nn.BatchNorm2d(out)
    parts = {
        "after": [layer, after, nn.ReLU()],
        "before": [before, layer, nn.ReLU()],
        "both": [before, layer, after],
        "pooled": [layer, nn.AvgPool2d(2), after],
    }
    return nn.Sequential(*parts[kind]), out


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    """A converted network for ``(N, 3, 32, 32)`` with statistics and parameters far from the defaults."""
    with torch.random.fork_rng():
        torch.manual_seed(draw(st.integers(0, 2**16)))
        channels = 8
        blocks: list[nn.Module] = [nn.Conv2d(3, channels, 5, stride=4), nn.BatchNorm2d(channels)]
        for _ in range(draw(st.integers(1, 3))):
            block, channels = _block(draw, channels)
            blocks.append(block)
        blocks += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 6)]
        blocks += [nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)]
        model = nn.Sequential(*blocks).eval()
    kind = draw(
        st.sampled_from(["rn", "rn", "rn", "bn", "adabn", "autodial", "dsbn", "transnorm", "ccn"])
    )
    options: dict[str, Any] = {}
    if kind == "rn":
        options = {
            "groups": draw(st.sampled_from([None, 1, 2, 3])),
            "correlation_scale": draw(st.sampled_from([1.0, 30.0])),
            "similarity": draw(st.sampled_from(["squared", "absolute", "product"])),
        }
    convert_normalization(model, Normalization(kind=kind, **options)).requires_grad_(False)
    shake(model, draw(st.integers(0, 2**16)))
    for _, layer in domain_norms(model):
        layer.weight[0], layer.weight[1] = 0.0, -layer.weight[1]
    return model


@settings(max_examples=_EXAMPLES, phases=_PHASES)
@given(networks(), st.sampled_from([1, 4]), st.booleans())
def test_any_network_is_exact(model: nn.Module, count: int, related: bool) -> None:
    found = exported(model, related)
    check_predictions(found, count)
    check_refolding(found)
    check_observation(found, count)
    check_weights(found)
