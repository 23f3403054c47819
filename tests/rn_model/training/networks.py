"""Small networks, one of which disturbs its process in the middle of a training."""

import itertools
import os
import resource
import signal

from torch import Tensor, nn

from rn_model.checks.batch_independence import IMAGES

STRIKES = "TEST_STRIKES"
_passes = itertools.count(1)


class StrikingNet(nn.Module):
    """One convolution and one hidden layer, each with a norm; takes ``(N, 1, H, W)``.

    The environment variable ``TEST_STRIKES`` defines what happens in which training pass of the process,
    counted from 1 after the trial of the network: ``5:SIGINT`` sends a signal, ``5:PARENT`` sends SIGTERM
    to the parent of the first of several processes, ``5:FSIZE=1000`` limits the size of files to 1000
    bytes.
    """

    def __init__(self, num_classes: int, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.hidden = nn.Linear(width, 2 * width)
        self.hidden_norm = nn.BatchNorm1d(2 * width)
        self.classifier = nn.Linear(2 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) != IMAGES:
            _strike(next(_passes))
        x = self.norm(self.conv(x)).relu().mean((2, 3))
        logits: Tensor = self.classifier(self.hidden_norm(self.hidden(x)).relu())
        return logits


class PlainNet(nn.Module):
    """One convolution, and a norm that has no effect; takes ``(N, 1, H, W)``."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.conv = nn.Conv2d(1, 4, 3)
        self.classifier = nn.Linear(4, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x + 0 * self.norm(x)).relu()
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


class UntrackedNet(PlainNet):
    """A :class:`PlainNet` whose norm keeps no running statistics."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.norm = nn.BatchNorm2d(1, track_running_stats=False)


def _strike(number: int) -> None:
    for planned in os.environ.get(STRIKES, "").split():
        place, _, what = planned.partition(":")
        if int(place) != number:
            continue
        if what.startswith("FSIZE="):
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(what.partition("=")[2]), hard))
        elif what == "PARENT":
            if os.environ["RANK"] == "0":
                os.kill(os.getppid(), signal.SIGTERM)
        else:
            os.kill(os.getpid(), signal.Signals[what])
