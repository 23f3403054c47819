"""Layers that mix the images of a batch are found and named."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn

from rn_model.checks.batch_independence import (
    IMAGES,
    check_independence,
    check_training_independence,
    example_batch,
)
from rn_model.checks.errors import NetworkError
from rn_model.layers.domain_norm import domain_norms
from tests.rn_model.checks import mixing

X = torch.randn(IMAGES, 3, 8, 8, generator=torch.Generator().manual_seed(0))
RIGHT: list[Callable[[], nn.Module]] = [
    nn.Identity,
    lambda: nn.Dropout(0.5),
    lambda: nn.GroupNorm(2, 6),
    lambda: nn.InstanceNorm2d(6, track_running_stats=True),
    lambda: nn.InstanceNorm2d(6),
    mixing.Patches,
    mixing.Attention,
    mixing.WeightStandardization,
]


def _around(make: Callable[[], nn.Module]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the layer is left, as the tests expect
        return mixing.around(make())


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (lambda: nn.BatchNorm2d(6, track_running_stats=False), "'part' (BatchNorm2d)"),
        (mixing.FunctionalNorm, "'part' (FunctionalNorm)"),
        (mixing.Centring, "'part' (Centring)"),
        (mixing.BatchSoftmax, "'part' (BatchSoftmax)"),
        (mixing.BatchSize, "'part' (BatchSize)"),
        (mixing.BatchAttention, "'part.attention' (MultiheadAttention)"),
        (lambda: nn.Sequential(nn.ReLU(), mixing.Centring()), "'part.1' (Centring)"),
    ],
)
@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_a_layer_that_mixes_images_is_named(
    make: Callable[[], nn.Module], layer: str, scale: float
) -> None:
    with pytest.raises(NetworkError) as caught:
        check_independence(_around(make).eval(), scale * X)
    assert str(caught.value) == (
        f"layer {layer} mixes the images of a batch: the answer for an image would depend on which other"
        " images are in its batch, and a service puts the images of different clients into one."
        " Normalize each image alone, or with running statistics (in BatchNorm:"
        " track_running_stats=True)"
    )


def test_mixing_between_two_layers_is_that_of_their_parent() -> None:
    class Parent(mixing.Around):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x - x.mean(0))

    with pytest.raises(NetworkError, match=r"^the network \(Parent\) mixes the images of a batch"):
        check_independence(Parent(nn.Identity()).eval(), X)


@pytest.mark.parametrize("make", RIGHT)
def test_a_network_that_treats_each_image_alone_passes(make: Callable[[], nn.Module]) -> None:
    check_independence(_around(make).eval(), X)
    check_independence(_around(make).eval(), example_batch(X[:1]))


def test_a_layer_that_is_always_random_is_named() -> None:
    with pytest.raises(
        NetworkError,
        match=r"^layer 'part' \(AlwaysRandom\) is random in evaluation mode, so the same image gets another"
        r" answer each time: apply dropout and noise only if self\.training$",
    ):
        check_independence(_around(mixing.AlwaysRandom).eval(), X)


@pytest.mark.parametrize("make", [mixing.Own, lambda: mixing.OwnForward(6), mixing.FunctionalNorm])
def test_a_batch_norm_that_was_not_converted_is_named(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(
        NetworkError, match=r"^layer 'part' \(\w+\) normalizes by the batch in train"
    ):
        check_training_independence(_training(make), X)


@pytest.mark.parametrize("make", RIGHT)
def test_training_that_mixes_only_where_it_was_converted_passes(
    make: Callable[[], nn.Module],
) -> None:
    check_training_independence(_training(make), X)


def _training(make: Callable[[], nn.Module]) -> nn.Module:
    model = _around(make).train()
    for _, layer in domain_norms(model):
        layer.eval()
    return model
