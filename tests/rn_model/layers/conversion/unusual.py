"""Networks whose BatchNorm is made or kept in an unusual way."""

import warnings
from collections.abc import Callable
from functools import partial

import torch
import torch.ao.quantization as quantization
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune, weight_norm
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.checkpoint import checkpoint

IMAGE = torch.zeros(1, 3, 8, 8)


class Absolute(nn.Module):
    """A parametrization: only positive weights."""

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


def plain() -> nn.Sequential:
    """A convolution, a BatchNorm with weights other than 1, and a classifier; takes ``(N, 3, H, W)``."""
    norm = nn.BatchNorm2d(4)
    nn.init.uniform_(norm.weight, 0.5, 2)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )


def pruned() -> nn.Module:
    """A BatchNorm half of whose weights are masked."""
    model = plain()
    prune.l1_unstructured(model[1], "weight", amount=2)  # type: ignore[no-untyped-call]
    return model


def pruned_bias() -> nn.Module:
    """A BatchNorm half of whose biases are masked."""
    model = plain()
    prune.random_unstructured(model[1], "bias", amount=2)  # type: ignore[no-untyped-call]
    return model


def parametrized() -> nn.Module:
    """A BatchNorm with positive weights."""
    model = plain()
    parametrize.register_parametrization(model[1], "weight", Absolute())
    return model


def parametrized_bias() -> nn.Module:
    """A BatchNorm with positive biases."""
    model = plain()
    parametrize.register_parametrization(model[1], "bias", Absolute())
    return model


def computed_by_a_hook() -> nn.Module:
    """A BatchNorm whose weight a hook computes before each forward pass."""
    model = plain()
    norm = model[1]
    assert isinstance(norm, nn.BatchNorm2d)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        norm.weight = nn.Parameter(norm.weight[:, None].detach())
        weight_norm(norm, "weight")
    return model


def spectral() -> nn.Module:
    """A BatchNorm whose weight is normalized; the convolution's too, which does no harm."""
    model = plain()
    spectral_norm(model[0])
    spectral_norm(model[1])
    return model


def quantization_aware(fused: list[str]) -> nn.Module:
    """A network prepared for quantization-aware training with some layers fused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: nn.Module = quantization.fuse_modules_qat(plain().train(), [fused])  # type: ignore[no-untyped-call]
        model.qconfig = quantization.get_default_qat_qconfig("fbgemm")  # type: ignore[no-untyped-call]
        quantization.prepare_qat(model, inplace=True)  # type: ignore[no-untyped-call]
    return model


def scripted() -> nn.Module:
    """A whole network through torch.jit.script."""
    return _quietly(lambda: torch.jit.script(plain()))


def traced() -> nn.Module:
    """A whole network through torch.jit.trace."""
    return _quietly(lambda: torch.jit.trace(plain().eval(), IMAGE))  # type: ignore[no-untyped-call]


def scripted_part() -> nn.Module:
    """A network with one scripted module."""
    model = plain()
    part = _quietly(lambda: torch.jit.script(model[:3]))
    return nn.Sequential(part, *list(model)[3:])


def lazy() -> nn.Module:
    """A BatchNorm that does not know its number of channels."""
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d())


class Listed(nn.Module):
    """A network that calls its layers from a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = plain()
        self.steps = list(self.layers)

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        return x


class Keyed(Listed):
    """A network that calls its layers from a plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = dict(enumerate(self.layers))  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps.values():  # type: ignore[attr-defined]
            x = step(x)
        return x


class Closed(Listed):
    """A network that calls its layers through closures."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = [self._closure(layer) for layer in self.layers]  # type: ignore[misc]

    @staticmethod
    def _closure(layer: nn.Module) -> Callable[[Tensor], Tensor]:
        return lambda x: layer(x)


class Partial(Listed):
    """A network that calls its layers through functools.partial."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = [partial(layer) for layer in self.layers]  # type: ignore[misc]


class Bound(Listed):
    """A network that keeps the bound forward methods of its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = [layer.forward for layer in self.layers]  # type: ignore[misc]


class Checkpointed(nn.Module):
    """A network that computes its features twice to save memory."""

    def __init__(self, reentrant: bool = False) -> None:
        super().__init__()
        self.layers = plain()
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers[0](x)
        x = checkpoint(self.layers[1:4], x, use_reentrant=self.reentrant)
        logits: Tensor = self.layers[4:](x)
        return logits


def _quietly(make: Callable[[], nn.Module]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()
