"""Methods of test-time adaptation from the papers, written anew, on a torch network with BatchNorm.

Each sees a batch, adapts, and predicts it: the protocol of the papers. None of them is told when the domain
changes.
"""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = nn.modules.batchnorm._BatchNorm


class Rival(ABC):
    """A method; one object per stream.

    Args:
        network: network in evaluation mode, from normalized images to logits; left unchanged.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).eval()
        self.norms = [module for module in self.network.modules() if isinstance(module, Norm)]

    @abstractmethod
    def predict(self, x: Tensor) -> Tensor:
        """Adapt to a batch, and predict it: logits ``(N, K)``."""


class Frozen(Rival):
    """The network as it was trained."""

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x)
        return found


class BatchStatistics(Rival):
    """Every batch is normalized by its own moments (Nado et al., arXiv:2006.10963)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        for norm in self.norms:
            norm.running_mean = norm.running_var = None
            norm.track_running_stats = False

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x)
        return found


class MovingAverage(Rival):
    """BatchNorm's running moments go on moving, with the momentum of training."""

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        for norm in self.norms:
            norm.train()
        self.network(x)
        found: Tensor = self.network.eval()(x)
        return found


class AlphaBatchNorm(Rival):
    """Source and batch moments mixed with a fixed weight (You et al., arXiv:2110.04065)."""

    alpha = 0.9

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        for norm in self.norms:
            norm.register_forward_pre_hook(self._mix)
        self._source = {id(norm): _moments(norm) for norm in self.norms}

    def _mix(self, norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, Norm)
        variance, mean = torch.var_mean(given[0], dim=(0, 2, 3), correction=0)
        old_mean, old_variance = self._source[id(norm)]
        norm.running_mean = self.alpha * old_mean + (1 - self.alpha) * mean
        norm.running_var = self.alpha * old_variance + (1 - self.alpha) * variance

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x)
        return found


class Tent(BatchStatistics):
    """Entropy minimization of scale and shift (Wang et al., arXiv:2006.10726)."""

    rate = 1e-3

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.network.requires_grad_(False)
        parameters = [p for norm in self.norms for p in norm.parameters()]
        for parameter in parameters:
            parameter.requires_grad_(True)
        self._optimizer = torch.optim.Adam(parameters, lr=self.rate)

    def predict(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            logits: Tensor = self.network(x)
            loss = self.loss(logits)
            if loss is not None:
                self._optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimizer.step()
        return logits.detach()

    def loss(self, logits: Tensor) -> Tensor | None:
        """What is minimized; None for nothing."""
        return _entropy(logits).mean()


class EntropyFilter(Tent):
    """Only certain images that differ from the past, weighted by certainty (ETA, arXiv:2204.02610)."""

    margin = 0.4
    redundancy = 0.4

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self._average: Tensor | None = None

    def loss(self, logits: Tensor) -> Tensor | None:
        entropy = _entropy(logits)
        limit = self.margin * math.log(logits.shape[1])
        kept = entropy < limit
        probabilities = logits.softmax(dim=1).detach()
        if self._average is not None:
            alike = F.cosine_similarity(self._average[None], probabilities)
            kept &= alike.abs() < self.redundancy
        if not bool(kept.any()):
            return None
        mean = probabilities[kept].mean(dim=0)
        self._average = mean if self._average is None else 0.9 * self._average + 0.1 * mean
        weight = torch.exp(limit - entropy[kept].detach())
        return (weight * entropy[kept]).sum() / len(logits)


def _moments(norm: Norm) -> tuple[Tensor, Tensor]:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    return mean.clone(), variance.clone()


def _entropy(logits: Tensor) -> Tensor:
    return -(logits.softmax(dim=1) * logits.log_softmax(dim=1)).sum(dim=1)


RIVALS: Mapping[str, Callable[[nn.Module], Rival]] = {
    "frozen": Frozen,
    "batch statistics": BatchStatistics,
    "moving average": MovingAverage,
    "alpha-BN": AlphaBatchNorm,
    "TENT": Tent,
    "ETA": EntropyFilter,
}
