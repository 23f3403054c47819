"""Scales pixels to the input of a network."""

import torch
from torch import Tensor, nn

from bundle.preprocessing import Preprocessing


class PixelScaling(nn.Module):
    """Maps pixels ``(N, H, W, C)`` uint8 to the network's input ``(N, C, H, W)`` float32."""

    factor: Tensor
    offset: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        mean = torch.tensor(preprocessing.mean, dtype=torch.float64)
        std = torch.tensor(preprocessing.std, dtype=torch.float64)
        self.register_buffer("factor", (1 / (255 * std)).float().view(1, -1, 1, 1))
        self.register_buffer("offset", (-mean / std).float().view(1, -1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        return image.permute(0, 3, 1, 2).float() * self.factor + self.offset
