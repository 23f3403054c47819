"""Adapts the first convolution of a network to the number of channels of its images."""

import torch
from torch import Tensor, nn

RGB = 3


def first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d | None]:
    """The name of the first convolution in definition order, and the convolution.

    A network without convolutions gives ``""`` and None.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            return name, module
    return "", None


def adapt_kernel(weight: Tensor, channels: int) -> Tensor:
    """Adapt weights ``(C_out, 3, h, w)`` of a first convolution to another number of channels.

    A single channel gets the sum of the three, so that a grey image gives the same output as before,
    when its value was repeated in three channels. Other numbers of channels get the three in turn,
    scaled by ``3 / channels``. Weights that are not for three channels are returned unchanged.

    Returns:
        Weights ``(C_out, channels, h, w)``.
    """
    if weight.dim() != 4 or weight.shape[1] != RGB or channels == RGB:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True)
    turns = torch.arange(channels, device=weight.device) % RGB
    return weight[:, turns] * (RGB / channels)


@torch.no_grad()
def adapt_input(model: nn.Module, channels: int) -> None:
    """Replace the first convolution of a model, in place, if it is not for ``channels`` channels.

    Raises:
        ValueError: if there is no convolution, or it is not an ordinary one for three channels.
    """
    name, old = first_convolution(model)
    if old is not None and old.in_channels == channels:
        return
    if old is None or old.in_channels != RGB or old.groups != 1 or old.padding_mode != "zeros":
        raise ValueError(f"its first convolution cannot be adapted to {channels} channels")
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
