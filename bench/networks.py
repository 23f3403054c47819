"""Networks to measure: timm models with random weights and random statistics."""

import importlib.util
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn


def make_network(name: str, classes: int) -> nn.Module:
    """A timm model with random weights, from float ``(N, 3, H, W)`` to logits ``(N, classes)``."""
    library = _load_operators()
    import timm

    del library  # what it declares lasts as long as it does
    network: nn.Module = timm.create_model(name, num_classes=classes)
    return network


def _load_operators() -> torch.library.Library:
    """Load the operators of torchvision; without a binary for this torch, declare what its import needs."""
    found = importlib.util.find_spec("torchvision")
    for folder in (found.submodule_search_locations if found else None) or ():
        for binary in Path(folder).glob("_C*.so"):
            with suppress(OSError):
                torch.ops.load_library(binary)  # type: ignore[no-untyped-call]
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(  # type: ignore[no-untyped-call]
                f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
    return library


@torch.no_grad()
def randomize_statistics(model: nn.Module, seed: int = 0) -> None:
    """Give every BatchNorm random statistics and parameters near 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for value, center in ((module.running_mean, 0.0), (module.bias, 0.0)):
                assert value is not None
                value.copy_(center + 0.1 * torch.randn(value.shape, generator=generator))
            for value in (module.running_var, module.weight):
                assert value is not None
                value.copy_(0.8 + 0.4 * torch.rand(value.shape, generator=generator))
