"""Fits the first convolution of a network to the number of channels of its images."""

import torch
from torch import Tensor, nn

RGB = 3


def first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d | None]:
    """The first convolution in definition order and its name; ``""`` and None if there is none."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            return name, module
    return "", None


def adapt_kernel(weight: Tensor, channels: int) -> Tensor:
    """Weights ``(C_out, 3, h, w)`` of a first convolution, for images with another number of channels.

    One channel gets the sum of the three, so that a grey image gives what the same image in colour
    gave. More channels get the three in turn, scaled by ``3 / channels``. Weights that are not for three
    channels are left as they are.
    """
    if weight.dim() != 4 or weight.shape[1] != RGB or channels == RGB:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True)
    turns = torch.arange(channels, device=weight.device) % RGB
    return weight[:, turns] * (RGB / channels)


@torch.no_grad()
def adapt_input(model: nn.Module, channels: int) -> None:
    """Replace, in place, the first convolution by one for ``channels`` channels, if it is not.

    Raises:
        ValueError: if there is no convolution, or it is not one for three channels.
    """
    name, old = first_convolution(model)
    if old is not None and old.in_channels == channels:
        return
    if old is None or old.in_channels != RGB or old.groups != 1 or old.padding_mode != "zeros":
        raise ValueError(f"its first convolution cannot be made one for {channels} channels")
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    new.weight.copy_(adapt_kernel(old.weight, channels))
    if old.bias is not None and new.bias is not None:
        new.bias.copy_(old.bias)
    model.set_submodule(name, new)
