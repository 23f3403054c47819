"""Examples of users' own networks, valid and invalid."""

import torch
from torch import Tensor, nn


class Maps(nn.Module):
    """Features ``(N, 6, h, w)`` of images with any number of channels."""

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 6, 3, stride=4)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)))


class OldClassifier(nn.Module):
    """A classifier with a fixed number of ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = Maps()
        self.hidden = nn.Linear(6, 5)
        self.fc = nn.Linear(5, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.hidden(self.maps(x).mean((2, 3)))))  # type: ignore[no-any-return]


class Embedding(nn.Module):
    """Features ``(N, 5)`` whose last linear layer does not make the output."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = Maps()
        self.hidden = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.hidden(self.maps(x).mean((2, 3))))


class Whole(nn.Module):
    """A whole classifier."""

    def __init__(self, num_classes: int, channels: int, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(self.conv(x)).mean((2, 3)))  # type: ignore[no-any-return]


def wrong_size(num_classes: int) -> nn.Module:
    """A classifier with one output too many."""
    return Whole(num_classes + 1, 3)


def fixed_size() -> nn.Module:
    """Features that only accept images of 10x12 pixels."""
    return nn.Sequential(Maps(), nn.Flatten(), nn.Linear(6 * 2 * 3, 7), nn.BatchNorm1d(7))


def without_norm() -> nn.Module:
    """Features without BatchNorm."""
    return nn.Conv2d(3, 2, 3)


def not_a_network() -> str:
    """A function that does not return a network."""
    return "network"


CONSTANT = 3


class Pair(Whole):
    """A classifier that returns its input together with the logits."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        logits = super().forward(x)
        return logits, x


class Grid(Whole):
    """A classifier whose logits have spatial dimensions."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :, None, None]


def broken(num_classes: int) -> nn.Module:
    """A function that fails."""
    raise RuntimeError(f"no network\nfor {num_classes} classes")
