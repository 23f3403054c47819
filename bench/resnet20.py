"""The CIFAR ResNet-20 of He et al. (arXiv:1512.03385, section 4.2), and its pretrained weights."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS = 3
FEATURES = 64


class _Block(nn.Module):
    """Two 3x3 convolutions; a shortcut that changes size pads its channels with zeros."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.stride = 1 if channels == channels_in else 2
        self.padding = (channels - channels_in) // 2
        self.conv1 = nn.Conv2d(channels_in, channels, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C', H', W')``."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride == 2:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))
        return F.relu(x + y)


class ResNet20(nn.Module):
    """Features ``(N, 64)`` of RGB images, made for 32x32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16)
        self.layer2 = _stage(16, 32)
        self.layer3 = _stage(32, FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, 3, H, W)`` to features ``(N, 64)``."""
        x = F.relu(self.bn1(self.conv1(x)))
        maps: Tensor = self.layer3(self.layer2(self.layer1(x)))
        return maps.mean(dim=(2, 3))


def _stage(channels_in: int, channels: int) -> nn.Sequential:
    rest = (_Block(channels, channels) for _ in range(BLOCKS - 1))
    return nn.Sequential(_Block(channels_in, channels), *rest)


def settings(features: Path) -> dict[str, Any]:
    """Settings of a run with this network on a CPU.

    Args:
        features: file that :func:`write_features` wrote.
    """
    return {
        "preprocessing": {
            **{"mode": "RGB", "height": 32, "width": 32},
            **{"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        },
        "augmentation": {"source": {"flip": 0.5}, "target": {"flip": 0.5}},
        "backbone": {"name": "bench.resnet20:ResNet20", "weights": str(features.absolute())},
        "device": "cpu",
        "keep_images": 0,
    }


def write_features(arrays: Path, path: Path) -> None:
    """Write the weights of an ``.npz`` file, without its classifier, as a ``.safetensors`` file.

    Raises:
        OSError: if a file cannot be read or written.
    """
    with np.load(arrays, allow_pickle=False) as found:
        weights = {
            name: torch.from_numpy(found[name])
            for name in found.files
            if not name.startswith("linear.")
        }
    save_file(weights, path)
