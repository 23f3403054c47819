"""Labelled and unlabelled images in memory, and the tensors that networks take."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bundle.preprocessing import Pixels, Preprocessing


@dataclass(frozen=True)
class Images:
    """Preprocessed images ``(N, H, W, C)``, uint8, and their classes ``(N,)``."""

    pixels: Pixels
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.pixels) == 0 or len(self.pixels) != len(self.labels):
            raise ValueError(f"{len(self.pixels)} images with {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.pixels)


def to_unit(pixels: Pixels | Tensor) -> Tensor:
    """Pixels ``(N, H, W, C)`` as floats from 0 to 1, ``(N, C, H, W)``."""
    return torch.as_tensor(pixels).permute(0, 3, 1, 2).float().div(255).contiguous()


def normalize_unit(x: Tensor, preprocessing: Preprocessing) -> Tensor:
    """``(x - mean) / std`` per channel; ``(N, C, H, W)``, kept."""
    mean = torch.tensor(preprocessing.mean, device=x.device).view(1, -1, 1, 1)
    std = torch.tensor(preprocessing.std, device=x.device).view(1, -1, 1, 1)
    return (x - mean) / std


def to_input(pixels: Pixels | Tensor, preprocessing: Preprocessing) -> Tensor:
    """Pixels ``(N, H, W, C)`` as the input of a network, ``(N, C, H, W)``."""
    return normalize_unit(to_unit(pixels), preprocessing)
