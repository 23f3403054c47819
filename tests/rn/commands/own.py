"""A file with networks as a user might write them; they take grey images."""

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """A small classifier."""

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, 4, 3, padding=1)
        self.two = nn.Conv2d(4, 4, 3, padding=1)
        self.n1, self.n2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.n2(self.two(self.n1(self.one(x)).relu())).relu()
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class Tied(Net):
    """A network with one weight for two convolutions, and a classifier under two names."""

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__(num_classes, channels)
        self.three = nn.Conv2d(4, 4, 3, padding=1)
        self.three.weight = self.two.weight
        self.head = self.fc

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.head(self.three(self.one(x)).mean((2, 3)))  # type: ignore[no-any-return]


class Listed(Net):
    """A network that calls its BatchNorm from a plain list."""

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__(num_classes, channels)
        self.steps = [self.one, self.n1, self.two, self.n2]

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class Untracked(Net):
    """A network with a BatchNorm without running statistics."""

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__(num_classes, channels)
        self.n2 = nn.BatchNorm2d(4, track_running_stats=False)


class Shared(Net):
    """A network with one BatchNorm in two places."""

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__(num_classes, channels)
        self.n2 = self.n1


class Forgetful(Net):
    """A network with a fixed random projection that its state does not have."""

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__(num_classes, channels)
        self.projection = [torch.rand(num_classes, num_classes, generator=_GENERATOR)]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) @ self.projection[0]


class Stateful(Net):
    """A network with state that is not a tensor."""

    def get_extra_state(self) -> object:
        return {"version": 1}

    def set_extra_state(self, state: object) -> None:
        pass


class Choosy(Net):
    """A network that cannot be traced."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if float((0 * x).sum()) >= 0 else -x)


def scripted(num_classes: int, channels: int) -> nn.Module:
    """A network through torch.jit."""
    return torch.jit.script(Net(num_classes, channels))


_GENERATOR = torch.Generator()
