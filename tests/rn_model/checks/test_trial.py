"""The trial of a network before it is trained."""

import re
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rn_model import convert_normalization
from rn_model.checks.errors import NetworkError
from rn_model.checks.trial import check_network
from rn_model.layers import NormalizationName
from tests.networks import SmallNet
from tests.rn_model.checks import mixing
from tests.rn_model.layers.conversion import unusual

SHAPE = (3, 8, 8)


class Frozen(mixing.Around):
    """A network that keeps its BatchNorm in evaluation mode."""

    def train(self, mode: bool = True) -> "Frozen":
        super().train(mode)
        self.norm.eval()
        return self


class Shared(mixing.Around):
    """A network that uses its BatchNorm in two places."""

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.norm(self.second(self.norm(self.first(x)))).mean((2, 3)))
        return logits


class Unused(mixing.Around):
    """A network with a BatchNorm that never runs."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__(part)
        self.other = nn.BatchNorm2d(6)


class Reading(mixing.Around):
    """A network that reads the statistics of its BatchNorm itself."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        norm = self.norm
        x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class Captured(mixing.Around):
    """A network that keeps functional batch normalization with its first statistics."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__(part)
        mean, variance = self.norm.running_mean, self.norm.running_var
        self.call = partial(F.batch_norm, running_mean=mean, running_var=variance)

    def forward(self, x: Tensor) -> Tensor:
        x = self.call(self.first(x), training=self.training)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class InPlace(mixing.Around):
    """A network whose backward pass is impossible."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.first(x)).exp()
        x += 1
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class Rows(mixing.Around):
    """A network with a normalization of places instead of images."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        rows = x.permute(0, 2, 3, 1).reshape(-1, 6, 1, 1)
        x = self.norm(rows).reshape(len(x), -1, 6).mean(1)
        logits: Tensor = self.fc(x)
        return logits


def _converted(model: nn.Module, kind: NormalizationName = "rn") -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return convert_normalization(model, kind)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            Frozen,
            "normalization layer 'norm' stays in evaluation mode when the network is trained, so its"
            " statistics could not be learned: do not freeze BatchNorm in train() of the network",
        ),
        (
            Shared,
            "normalization layer 'norm' runs 2 times in a forward pass; use a separate layer for every"
            " call",
        ),
        (
            Unused,
            "normalization layer 'other' runs 0 times in a forward pass; remove it from the network, or"
            " exclude it from the conversion",
        ),
        (
            Reading,
            "the forward pass of the network fails: 'ReciprocalNorm2d' object has no attribute"
            " 'running_mean': it reads the statistics of a BatchNorm that was replaced; let the BatchNorm"
            " layer itself normalize",
        ),
        (
            Captured,
            "the network (Captured) normalizes by the batch in training, but cannot be replaced",
        ),
        (
            InPlace,
            "the backward pass of the network fails: one of the variables needed for gradient",
        ),
        (Rows, "the forward pass in training of the network fails at layer 'norm': the split has"),
    ],
)
def test_a_network_that_training_would_get_wrong_is_refused(
    make: Callable[[nn.Module], nn.Module], message: str
) -> None:
    with pytest.raises(NetworkError, match=f"^{re.escape(message)}"):
        check_network(_converted(make(nn.Identity())), SHAPE)


@pytest.mark.parametrize(
    "make", [unusual.Listed, unusual.Keyed, unusual.Closed, unusual.Partial, unusual.Bound]
)
def test_a_batch_norm_that_was_converted_in_vain_is_named(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(
        NetworkError, match=r"BatchNorm 'layers\.1' was replaced, but the network still"
    ):
        check_network(_converted(make()), SHAPE)


@pytest.mark.parametrize("part", [mixing.Own, mixing.BatchSize, mixing.AlwaysRandom])
def test_layers_that_mix_images_are_refused(part: Callable[[], nn.Module]) -> None:
    with pytest.raises(NetworkError, match=r"^layer 'part' \("):
        check_network(mixing.around(part()), SHAPE)


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_passes(reentrant: bool) -> None:
    check_network(_converted(unusual.Checkpointed(reentrant)), SHAPE)


def test_layers_that_checkpointing_would_leave_untrained_are_refused() -> None:
    class First(mixing.Around):
        def forward(self, x: Tensor) -> Tensor:
            x = checkpoint(self.first, x, use_reentrant=True)
            logits: Tensor = self.fc(self.norm(x).mean((2, 3)))
            return logits

    with pytest.raises(
        NetworkError,
        match="^activation checkpointing of layers whose input needs no gradient would leave them"
        r" untrained: call torch\.utils\.checkpoint with use_reentrant=False$",
    ):
        check_network(_converted(First(nn.Identity())), SHAPE)


@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("kind", ["rn", "bn", "adabn", "autodial", "dsbn", "transnorm"])
def test_an_ordinary_network_passes_and_uses_no_random_numbers(
    kind: NormalizationName, backward: bool
) -> None:
    model = _converted(SmallNet(), kind)
    state = torch.get_rng_state()
    check_network(model, (1, 8, 6), backward=backward)
    torch.testing.assert_close(torch.get_rng_state(), state)


def test_no_hook_is_left() -> None:
    model = _converted(SmallNet())
    check_network(model, (1, 8, 6))
    hooks: list[Any] = [
        hook for m in model.modules() for hook in (*m._forward_hooks, *m._forward_pre_hooks)
    ]
    assert hooks == []
