"""Networks to measure: timm models with random weights and random statistics."""

import torch
from torch import nn


def make_network(name: str, classes: int) -> nn.Module:
    """A timm model with random weights, from float ``(N, 3, H, W)`` to logits ``(N, classes)``."""
    # Without a binary for this torch, torchvision can be imported only if these are declared.
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(  # type: ignore[no-untyped-call]
                f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
    import timm

    network: nn.Module = timm.create_model(name, num_classes=classes)
    return network


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
