"""Small networks that the tests share, and what is known about them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export import BundleInfo
from rn_model import convert_normalization, domain_norms
from rn_model.layers.domains import DOMAINS
from tests import contracts
from tests.contracts import random_images as random_images

SMALL = BundleInfo(**contracts.SMALL._asdict(), provenance={"origin": "test"})
WIDE = BundleInfo(**contracts.WIDE._asdict(), provenance={})


class SmallNet(nn.Module):
    """One convolution and one linear layer, each with a norm after it; takes ``(N, 1, H, W)``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.hidden = nn.Linear(4, 5)
        self.hidden_norm = nn.BatchNorm1d(5)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x)).relu().mean((2, 3))
        logits: Tensor = self.head(self.hidden_norm(self.hidden(x)).relu())
        return logits


class TinyNet(nn.Module):
    """One convolution with a norm; takes ``(N, 1, H, W)``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.conv(x)).relu().mean((2, 3)))
        return logits


class WideNet(nn.Module):
    """The places for a norm that :class:`SmallNet` does not have; takes ``(N, 3, H, W)``."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(3, 6, 3, padding=1, groups=3, bias=False)
        self.norm_grouped = nn.BatchNorm2d(6)
        self.norm_after_relu = nn.BatchNorm2d(6)
        self.transposed = nn.ConvTranspose2d(6, 5, 2, stride=2)
        self.norm_transposed = nn.BatchNorm2d(5)
        self.forked = nn.Conv2d(5, 5, 1)
        self.norm_forked = nn.BatchNorm2d(5)
        self.first, self.second = (nn.Conv2d(5, 5, 3, padding=1, groups=5) for _ in range(2))
        self.norm_first, self.norm_second = nn.BatchNorm2d(5), nn.BatchNorm2d(5)
        self.unbiased = nn.Linear(5, 7, bias=False)
        self.norm_unbiased = nn.BatchNorm1d(7)
        self.head = nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm_grouped(self.grouped(x)).relu()
        x = self.norm_transposed(self.transposed(self.norm_after_relu(x))).relu()
        forked = self.forked(x)
        x = self.norm_forked(forked) + forked.relu()
        x = self.norm_second(self.second(self.norm_first(self.first(x)).relu())).relu()
        logits: Tensor = self.head(self.norm_unbiased(self.unbiased(x.mean((2, 3)))))
        return logits

    def make_twins(self) -> None:
        """Give the second of two convolutions, and its norm, the values of the first."""
        self.second.load_state_dict(self.first.state_dict())
        self.norm_second.load_state_dict(self.norm_first.state_dict())


def shake(model: nn.Module, seed: int = 0) -> None:
    """Give every norm of a model moments, gates, weight and bias of their own, far from the defaults."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(values: Tensor, low: float, high: float) -> None:
        values.uniform_(low, high, generator=generator)

    with torch.no_grad():
        for _, layer in domain_norms(model):
            uniform(layer.weight, 0.5, 2.0)
            uniform(layer.bias, -1.0, 1.0)
            for number, domain in enumerate(DOMAINS):
                uniform(layer.running(domain).mean, -1.0, 1.0)
                uniform(layer.running(domain).variance, 0.5, 2.0)
                getattr(layer, f"num_images_{domain}").fill_(100 + number)
            for gate in layer.gate_parameters():
                uniform(gate, 0.5, 1.0)


def trained_net(seed: int = 3) -> SmallNet:
    """A :class:`SmallNet` with BatchNorm as after a training, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = SmallNet().eval()
        with torch.no_grad():
            for norm in (model.norm, model.hidden_norm):
                assert norm.running_mean is not None and norm.running_var is not None
                nn.init.uniform_(norm.weight, 0.5, 2.0)
                nn.init.uniform_(norm.bias, -1.0, 1.0)
                nn.init.uniform_(norm.running_mean, -1.0, 1.0)
                nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return model


def set_moments(model: SmallNet, mean: NDArray[np.float64], variance: NDArray[np.float64]) -> None:
    """Give the BatchNorm layers of a network these statistics, flat vectors of nine channels."""
    for norm, part in ((model.norm, slice(4)), (model.hidden_norm, slice(4, 9))):
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(torch.from_numpy(mean[part]))
        norm.running_var.copy_(torch.from_numpy(variance[part]))


def small_model() -> SmallNet:
    """A converted and adapted :class:`SmallNet`, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = SmallNet().eval()
    convert_normalization(model)
    shake(model)
    return model


def wide_model() -> WideNet:
    """A converted and adapted :class:`WideNet` with twins, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = WideNet().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # so that what an image shows arrives at the last norm
    convert_normalization(model)
    shake(model)
    model.make_twins()
    return model
