"""Trial passes of a converted network before any training."""

import warnings
from collections import Counter

import torch
from torch import Tensor, nn

from bundle.text import describe_error
from rn_model.checks.batch_independence import (
    IMAGES,
    check_independence,
    check_training_independence,
)
from rn_model.checks.errors import NetworkError
from rn_model.checks.passes import innermost, seeded
from rn_model.layers.domain_norm import DomainNorm, domain_norms
from rn_model.layers.domain_split import domain_split

_SOURCE = 3


def check_network(model: nn.Module, shape: tuple[int, int, int], *, backward: bool = True) -> None:
    """Run a converted network in training and in evaluation, on five random images.

    Pass a network that is not needed afterwards: its statistics and gradients change.

    Args:
        model: network of images ``(N, C, H, W)`` with converted normalizations, on the CPU.
        shape: channels, height and width of an image.
        backward: whether to run a training step of both domains, which needs all processes of a
            distributed training.

    Raises:
        NetworkError: if the network fails, a normalization does not run exactly once in a forward pass or
            stays in evaluation mode in training, or a layer mixes the images of a batch.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each would be shown again in training
        _check(model, shape, backward)


def _check(model: nn.Module, shape: tuple[int, int, int], backward: bool) -> None:
    images = torch.randn((IMAGES, *shape), generator=torch.Generator().manual_seed(0))
    layers = list(domain_norms(model))
    model.train()
    for name, layer in layers:
        if not layer.training:
            raise NetworkError(
                f"normalization layer {name!r} stays in evaluation mode when the network is trained, so its"
                " statistics could not be learned: do not freeze BatchNorm in train() of the network"
            )
    for _, layer in layers:
        layer.eval()
    _run(model, images)
    check_training_independence(model, images)
    for _, layer in layers:
        layer.train()
    if backward:
        _train(model, images)
    model.eval()
    _check_calls(model, images)
    check_independence(model, images)


def _run(model: nn.Module, images: Tensor) -> None:
    with innermost(model) as running:
        try:
            seeded(model, images)
        except Exception as error:  # a network may raise anything
            raise _failure("the forward pass", running, error) from error


def _train(model: nn.Module, images: Tensor) -> None:
    split = domain_split(model, source=_SOURCE, target=len(images) - _SOURCE)
    with split, torch.random.fork_rng(devices=[]), innermost(model) as running:
        torch.manual_seed(0)
        step = "the forward pass in training"
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                logits = model(images)
            step = "the backward pass"
            logits.float().square().sum().backward()
        except Exception as error:  # a network may raise anything
            raise _failure(step, running, error) from error
    if any("None of the inputs have requires_grad" in str(warning.message) for warning in caught):
        raise NetworkError(
            "activation checkpointing of layers whose input needs no gradient would leave them untrained:"
            " call torch.utils.checkpoint with use_reentrant=False"
        )


def _failure(step: str, running: list[str], error: Exception) -> NetworkError:
    where = f" at layer {running[-1]!r}" if running and running[-1] else ""
    reason = describe_error(error, first_line=True)
    if isinstance(error, AttributeError) and "attribute 'running_" in reason:
        reason += (
            ": it reads the statistics of a BatchNorm that was replaced; let the BatchNorm layer itself"
            " normalize"
        )
    return NetworkError(f"{step} of the network fails{where}: {reason}")


def _check_calls(model: nn.Module, images: Tensor) -> None:
    counts: Counter[DomainNorm] = Counter()
    rows: dict[DomainNorm, int] = {}

    def count(module: DomainNorm, args: tuple[Tensor, ...]) -> None:
        counts[module] += 1
        rows[module] = len(args[0])

    handles = [layer.register_forward_pre_hook(count) for _, layer in domain_norms(model)]
    try:
        _run(model, images)
    finally:
        for handle in handles:
            handle.remove()
    for name, layer in domain_norms(model):
        check_calls(name, counts[layer], rows.get(layer, 0), len(images))


def check_calls(name: str, count: int, rows: int, images: int) -> None:
    """Check how often a normalization ran in a forward pass, and on how many rows.

    Args:
        name: name of the layer.
        count: number of its calls.
        rows: number of rows of its input.
        images: number of images in the batch.

    Raises:
        NetworkError: unless it ran once, because one set of statistics cannot describe the inputs of two
            calls, and its rows are the images.
    """
    if count != 1:
        advice = (
            "use a separate layer for every call"
            if count
            else "remove it from the network, or exclude it from the conversion"
        )
        raise NetworkError(
            f"normalization layer {name!r} runs {count} times in a forward pass; {advice}"
        )
    if rows != images:
        raise NetworkError(
            f"normalization layer {name!r} takes {rows} rows for {images} images, so rows cannot be"
            " assigned to images: its input must be (N, C, *), one row per image"
        )
