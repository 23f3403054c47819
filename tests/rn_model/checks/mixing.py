"""Networks that mix the images of a batch, and some that do not; they take ``(N, 3, 8, 8)``."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rn_model import convert_normalization


class Around(nn.Module):
    """A converted network with another module between its two convolutions."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        self.part = part
        self.second, self.fc = nn.Conv2d(6, 6, 3), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.part(self.norm(self.first(x)).relu())
        logits: Tensor = self.fc(self.second(x).relu().mean((2, 3)))
        return logits


def around(part: nn.Module) -> nn.Module:
    """A converted network with a module in its middle."""
    torch.manual_seed(0)
    return convert_normalization(Around(part))


class FunctionalNorm(nn.Module):
    """Functional batch normalization with the moments of the batch, in evaluation too."""

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, training=True)


class Centring(nn.Module):
    """Subtracts the mean of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)


class BatchSoftmax(nn.Module):
    """A softmax over the images."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.softmax(0)


class BatchSize(nn.Module):
    """Divides by the number of images."""

    def forward(self, x: Tensor) -> Tensor:
        return x / len(x)


class BatchAttention(nn.Module):
    """Attention among the images: sequences and batch are confused."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2)  # (sequence, batch, features)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        y: Tensor = self.attention(tokens, tokens, tokens)[0]
        return y.transpose(1, 2).reshape(x.shape)


class Own(nn.Module):
    """A normalization of one's own with buffers under other names."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("moving_mean", torch.zeros(6))
        self.register_buffer("moving_power", torch.ones(6))

    def forward(self, x: Tensor) -> Tensor:
        moving = self.get_buffer("moving_mean"), self.get_buffer("moving_power")
        mean, power = moving
        if self.training:
            mean, power = x.mean((0, 2, 3)), x.square().mean((0, 2, 3))
            for buffer, new in zip(moving, (mean, power), strict=True):
                buffer.lerp_(new.detach(), 0.1)
        return (x - mean[:, None, None]) / (power[:, None, None] + 1e-5).sqrt()


class OwnForward(nn.BatchNorm2d):
    """A BatchNorm with a forward pass of its own, which a conversion leaves."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class AlwaysRandom(nn.Module):
    """Dropout that is never switched off."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5)


class Patches(nn.Module):
    """Several rows per image, which do not mix images."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(2).transpose(1, 2).reshape(-1, 6)
        y: Tensor = self.layer(rows).reshape(len(x), -1, 6).transpose(1, 2).reshape(x.shape)
        return y


class Attention(BatchAttention):
    """Attention among the places of one image."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)


class WeightStandardization(nn.Conv2d):
    """A convolution whose weights are standardized with functional batch normalization."""

    def __init__(self) -> None:
        super().__init__(6, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        weight = F.batch_norm(self.weight.reshape(1, 6, -1), None, None, training=True)
        return F.conv2d(x, weight.reshape_as(self.weight), self.bias)
