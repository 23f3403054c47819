"""Hostile images, made from good ones of the built-in example or from nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from bundle.preprocessing import Pixels
from export.network.input_features import input_features
from rn_model import set_branch
from rn_model.data.tensors import to_input
from rn_model.layers.domain_norm import DomainNorm
from rn_model.runs.record import Run

# Share of the good images whose features the hostile ones stay among.
WITHIN = 0.98
STEPS = 60
STEP = 6.0


@dataclass(frozen=True)
class Good:
    """Images of the domain, as an attacker may have them.

    Attributes:
        pixels: uint8 ``(N, H, W, C)``.
        labels: their classes, int64 ``(N,)``.
        run: the trained model.
        random: source of randomness.
    """

    pixels: Pixels
    labels: NDArray[np.int64]
    run: Run
    random: Generator

    def some(self, count: int) -> Pixels:
        """Images drawn with replacement."""
        return self.pixels[self.random.integers(0, len(self.pixels), count)]


Make = Callable[[Good, int], Pixels]


def noise(good: Good, count: int) -> Pixels:
    """Uniform noise."""
    shape = (count, *good.pixels.shape[1:])
    return good.random.integers(0, 256, shape, dtype=np.uint8)


def black(good: Good, count: int) -> Pixels:
    """Black frames with a few bright pixels, so that no two are duplicates."""
    images = np.zeros((count, *good.pixels.shape[1:]), np.uint8)
    flat = images.reshape(count, -1)
    for row in flat:
        row[good.random.integers(0, flat.shape[1], 3)] = 255
    return images


def inverted(good: Good, count: int) -> Pixels:
    """Negatives of good images."""
    return 255 - good.some(count)


def shuffled(good: Good, count: int) -> Pixels:
    """Good images whose pixels are in another order, the same for all."""
    images = good.some(count)
    order = np.random.default_rng(7).permutation(images[0].size)
    return images.reshape(count, -1)[:, order].reshape(images.shape)


def one_class(good: Good, count: int) -> Pixels:
    """Good images of a single class, each a little different from the others."""
    return _of_classes(good, count, 1)


def two_classes(good: Good, count: int) -> Pixels:
    """Good images of two classes."""
    return _of_classes(good, count, 2)


def half_noise(good: Good, count: int) -> Pixels:
    """Good images blended with noise."""
    blended = good.some(count).astype(np.uint16) + noise(good, count)
    return (blended // 2).astype(np.uint8)


def within_limits(good: Good, count: int) -> Pixels:
    """Images that move the statistics of every layer as far as they can, with ordinary input features.

    Found by gradient ascent on the squared distance between the means of the batch and those of the
    network, in standard deviations; after every step each feature is brought back among those of good
    images by a penalty.
    """
    start = good.some(count)
    model, sites = _observed(good.run)
    low, high = _limits(good)
    x = torch.from_numpy(start.astype(np.float32)).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=STEP)
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(_scaled(x, good.run))
        shift = torch.stack([_shift(site, value) for site, value in sites]).mean()
        features = input_features(x)
        outside = (features - high).clamp(min=0) + (low - features).clamp(min=0)
        (1e3 * outside.square().sum() - shift).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        sites.clear()
        with torch.no_grad():
            x.clamp_(0, 255)
    return x.detach().round().numpy().astype(np.uint8)


def _of_classes(good: Good, count: int, classes: int) -> Pixels:
    chosen = good.random.permutation(len(np.unique(good.labels)))[:classes]
    pool = good.pixels[np.isin(good.labels, chosen)]
    images = pool[good.random.integers(0, len(pool), count)].astype(np.int16)
    images += good.random.integers(-2, 3, images.shape).astype(np.int16)
    return np.clip(images, 0, 255).astype(np.uint8)


def _observed(run: Run) -> tuple[nn.Module, list[tuple[DomainNorm, Tensor]]]:
    """The network, and a list that receives the input of every site whenever it is run."""
    model = run.model.eval()
    set_branch(model, "target")
    seen: list[tuple[DomainNorm, Tensor]] = []
    for module in model.modules():
        if isinstance(module, DomainNorm):
            module.register_forward_pre_hook(lambda site, given: seen.append((site, given[0])))
    return model, seen


def _shift(site: DomainNorm, x: Tensor) -> Tensor:
    own = site.running("target")
    axes = [axis for axis in range(x.dim()) if axis != 1]
    distance = (x.mean(dim=axes) - own.mean) / (own.variance + 1e-5).sqrt()
    found: Tensor = distance.square().mean()
    return found


def _limits(good: Good) -> tuple[Tensor, Tensor]:
    features = input_features(torch.from_numpy(good.pixels.astype(np.float32)))
    outside = (1 - WITHIN) / 2
    return features.quantile(outside, dim=0), features.quantile(1 - outside, dim=0)


def _scaled(pixels: Tensor, run: Run) -> Tensor:
    """The input of the network, through which gradients flow."""
    preprocessing = run.preprocessing
    mean, std = (torch.tensor(values) for values in (preprocessing.mean, preprocessing.std))
    return ((pixels / 255 - mean) / std).permute(0, 3, 1, 2)


def check_scaling(good: Good) -> None:
    """Fail if the gradients would be those of another network.

    Raises:
        RuntimeError: if so.
    """
    pixels = good.pixels[:4]
    mine = _scaled(torch.from_numpy(pixels.astype(np.float32)), good.run)
    if not torch.allclose(mine, to_input(pixels, good.run.preprocessing), atol=1e-5):
        raise RuntimeError("the scaling of pixels differs from that of the network")
