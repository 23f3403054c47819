"""Converts pixels to the tensors that networks take."""

import torch
from torch import Tensor

from bundle.preprocessing import Pixels, Preprocessing


def to_unit(pixels: Pixels | Tensor) -> Tensor:
    """Convert pixels ``(N, H, W, C)`` to floats from 0 to 1, ``(N, C, H, W)``."""
    # Grey images are contiguous in both memory formats and keep the strides of channels_last, with which
    # a training step on a CPU takes about two thirds of the time.
    return torch.as_tensor(pixels).permute(0, 3, 1, 2).float().div(255).contiguous()


def normalize_unit(x: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Compute ``(x - mean) / std`` per channel; the shape ``(N, C, H, W)`` is kept."""
    mean = torch.tensor(preprocessing.mean, device=x.device).view(1, -1, 1, 1)
    std = torch.tensor(preprocessing.std, device=x.device).view(1, -1, 1, 1)
    return (x - mean) / std


def to_input(pixels: Pixels | Tensor, preprocessing: Preprocessing) -> Tensor:
    """Convert pixels ``(N, H, W, C)`` to the input of a network, ``(N, C, H, W)``."""
    return normalize_unit(to_unit(pixels), preprocessing)
