"""DigitNet, a small residual network for small images."""

import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut.

    Shape:
        ``(N, C_in, H, W)`` to ``(N, C_out, H / stride, W / stride)``.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class DigitNet(nn.Module):
    """A classifier with three residual blocks, a bottleneck and BatchNorm throughout.

    Args:
        num_classes: number of classes K.
        channels: number of channels of the images.
        size: height and width S of the images in pixels, a multiple of 8.
        width: channels of the first block; the second and third have twice and four times as many.
        bottleneck: number of features D before the classifier.

    Shape:
        Float images ``(N, channels, S, S)`` with mean 0 and standard deviation 1 to logits ``(N, K)``.

    Raises:
        ValueError: if ``size`` is not a multiple of 8.
    """

    def __init__(
        self,
        num_classes: int = 10,
        channels: int = 1,
        size: int = 16,
        width: int = 16,
        bottleneck: int = 128,
    ) -> None:
        super().__init__()
        if size < 8 or size % 8:
            raise ValueError(f"size must be a multiple of 8, not {size}")
        self.feature_count = bottleneck
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            ResidualBlock(width, width, stride=2),
            ResidualBlock(width, 2 * width, stride=2),
            ResidualBlock(2 * width, 4 * width, stride=2),
        )
        self.bottleneck = nn.Sequential(
            nn.Linear(4 * width * (size // 8) ** 2, bottleneck, bias=False),
            nn.BatchNorm1d(bottleneck),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(bottleneck, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """The input of the classifier, ``(N, D)``."""
        return self.bottleneck(self.blocks(self.stem(x)).flatten(1))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, K)``."""
        return self.classifier(self.features(x))  # type: ignore[no-any-return]
