"""Finds layers that mix the images of a batch, so that an answer depends on the other images."""

import torch
from torch import Tensor, nn

from rn_model.checks.errors import NetworkError
from rn_model.checks.passes import Rows, recorded, seeded

IMAGES = 5
"""Number of images in a batch; a prime, which few other sizes of a tensor are multiples of."""

# Relative to the largest logit. A batch of another size is computed in another order of additions.
_OTHER_IMAGES = 1e-5
_OTHER_SIZE = 1e-4


def check_independence(model: nn.Module, images: Tensor) -> None:
    """Check that a model's answer for an image depends on nothing but that image.

    The same image is compared among other images, and alone.

    Args:
        model: network in evaluation mode.
        images: ``(5, ...)``, all different; :func:`example_batch` makes them of fewer.

    Raises:
        NetworkError: if the answers differ; it names the layer.
    """
    _check_repeatable(model, images)
    for other, tolerance in (
        (with_other_companions(images), _OTHER_IMAGES),
        (images[:1], _OTHER_SIZE),
    ):
        name = first_difference(model, images, other, tolerance)
        if name is not None:
            raise NetworkError(
                f"{describe_layer(model, name)} mixes the images of a batch: the answer for an image would"
                " depend on which other images are in its batch, and a service puts the images of"
                " different clients into one. Normalize each image alone, or with running statistics"
                " (in BatchNorm: track_running_stats=True)"
            )


def check_training_independence(model: nn.Module, images: Tensor) -> None:
    """Check that in training, only converted normalizations mix the images of a batch.

    Args:
        model: network in training mode whose converted normalizations are in evaluation mode.
        images: see :func:`check_independence`.

    Raises:
        NetworkError: if another layer mixes them; it names the layer.
    """
    name = first_difference(model, images, with_other_companions(images), _OTHER_IMAGES)
    if name is not None:
        raise NetworkError(
            f"{describe_layer(model, name)} normalizes by the batch in training, but cannot be replaced, so"
            " it would mix source and target images: use torch.nn.BatchNorm1d, 2d or 3d with its running"
            " statistics and its own forward pass, or a normalization of each image alone such as"
            " GroupNorm"
        )


def _check_repeatable(model: nn.Module, images: Tensor) -> None:
    name = first_difference(model, images, images, _OTHER_IMAGES, seeds=(0, 1))
    if name is not None:
        raise NetworkError(
            f"{describe_layer(model, name)} is random in evaluation mode, so the same image gets another"
            " answer each time: apply dropout and noise only if self.training"
        )


def with_other_companions(images: Tensor) -> Tensor:
    """The same first image among others: the others in another order, stretched and inverted."""
    other = images.clone()
    top = 255 if images.dtype == torch.uint8 else 0
    others = top - images[1:].flip(0)
    other[1:] = others if images.dtype == torch.uint8 else 2 * others
    return other


def example_batch(images: Tensor) -> Tensor:
    """A batch of five images, the first of which come from ``images``, and the others are random.

    Args:
        images: at least one image, float, of any shape.
    """
    generator = torch.Generator().manual_seed(0)
    few = images[:IMAGES].float().cpu()
    missing = torch.rand((IMAGES - len(few), *few.shape[1:]), generator=generator)
    low, high = few.min(), few.max()
    return torch.cat([few, low + (high - low + 1e-3) * missing])


def first_difference(
    model: nn.Module,
    images: Tensor,
    others: Tensor,
    tolerance: float,
    seeds: tuple[int, int] = (0, 0),
) -> str | None:
    """The layer after which the first image of two batches is no longer the same.

    Args:
        model: network to run on both batches.
        images, others: batches with the same first image.
        tolerance: accepted difference of outputs, relative to the largest.
        seeds: seeds of the random numbers for each batch.

    Returns:
        Name of the innermost module that gets the same part for that image in both batches and returns
        different ones; None if the outputs are the same.
    """
    batches = tuple(zip((images, others), seeds, strict=True))
    outputs = [seeded(model, batch, seed) for batch, seed in batches]
    if not _differs(outputs[0][:1], outputs[1][:1], tolerance, outputs[0]):
        return None
    rows = Rows(len(images))
    calls, other_calls = (recorded(model, batch, rows, seed) for batch, seed in batches)
    fine = tolerance / 10
    for first, second in zip(calls, other_calls, strict=False):
        same = not _any_differs(first.inputs, second.inputs, fine)
        if same and _any_differs(first.outputs, second.outputs, fine):
            return first.name
    return ""


def describe_layer(model: nn.Module, name: str) -> str:
    """A layer by its name and type, or the whole network if the name is empty."""
    if not name:
        return f"the network ({type(model).__name__})"
    return f"layer {name!r} ({type(model.get_submodule(name)).__name__})"


def _any_differs(first: list[Tensor], second: list[Tensor], tolerance: float) -> bool:
    pairs = zip(first, second, strict=False)
    return any(a.shape == b.shape and _differs(a, b, tolerance) for a, b in pairs)


def _differs(first: Tensor, second: Tensor, tolerance: float, scale: Tensor | None = None) -> bool:
    a, b = first.double().nan_to_num(), second.double().nan_to_num()
    if a.numel() == 0:
        return False
    largest = float((a if scale is None else scale.double().nan_to_num()).abs().max())
    return float((a - b).abs().max()) > tolerance * max(largest, 1e-12)
