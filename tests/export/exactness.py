"""Compares an exported network with the same network in float64, as torch computes it."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load
from torch import nn

from bundle import Pixels, Preprocessing, files
from bundle.fold import fold_sites
from bundle.moments import FlatMoments
from bundle.runtime import make_session
from export.assembly import Assembly, assemble
from export.network.pixel_scaling import PixelScaling
from export.network.sites import NormSite, find_sites
from rn_model.layers.moments import Moments
from rn_model.layers.observation import Observation
from rn_model.layers.shrinkage import ASSUMED, Spread, relations_of, split_spread
from tests.shrinking import set_shrunk

PREPROCESSING = Preprocessing(
    mode="RGB", height=32, width=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25)
)
PRIOR = 5.0
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Exported:
    """An exported network, and the same network in float64."""

    parts: Assembly
    exact: nn.Module
    sites: list[NormSite]
    spreads: list[Spread]

    def images(self, count: int) -> Pixels:
        generator = np.random.default_rng(count)
        noise = generator.uniform(0, 256, (count, *PREPROCESSING.shape))
        return (noise * generator.random((count, 1, 1, 1))).astype(np.uint8)

    def moments(self) -> FlatMoments:
        generator = np.random.default_rng(3)
        channels = len(self.parts.moments.mean)
        return FlatMoments(generator.normal(size=channels), generator.uniform(0.5, 2, channels))

    def expected(self, images: Pixels) -> Floats:
        with torch.no_grad():
            scaled = PixelScaling(PREPROCESSING)(torch.from_numpy(images))
            logits: Floats = self.exact(scaled.double()).numpy()
        return logits

    def predict(self, images: Pixels, refolded: dict[str, NDArray[np.float32]]) -> Floats:
        arrays = {**self.parts.arrays, **refolded}
        session = make_session(self.parts.contents[files.PREDICT], arrays, threads=1)
        logits: Floats = session.run(["logits"], {"image": images})[0]
        return logits

    def observe(self, images: Pixels, weight: Floats, prior: FlatMoments) -> dict[str, Floats]:
        graph = self.parts.contents[files.OBSERVE]
        session = make_session(graph, self.parts.observe_arrays, threads=1)
        inputs = {
            "image": images,
            "image_weight": weight.astype(np.float32),
            "prior_weight": np.array(PRIOR, np.float32),
            "mean": prior.mean.astype(np.float32),
            "variance": prior.variance.astype(np.float32),
        }
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))

    @contextmanager
    def observing(self, weight: Floats, prior: FlatMoments) -> Iterator[list[Observation]]:
        """Make the layers observe what passes through them."""
        seen = []
        for site, spread in zip(self.sites, self.spreads, strict=True):
            moments = Moments(*(torch.from_numpy(value[site.slice]) for value in prior))
            weights = torch.from_numpy(weight)
            known = split_spread(spread.tensors(torch.float64))
            seen.append(Observation("target", weights, PRIOR, moments, *known))
            site.layer.observation = seen[-1]
        yield seen
        for site in self.sites:
            site.layer.observation = None


def exported(model: nn.Module, related: bool = False) -> Exported:
    """Export a converted network in evaluation mode that takes ``(N, 3, 32, 32)``.

    Args:
        model: the network.
        related: whether the channels of its layers are related.
    """
    scaling = PixelScaling(PREPROCESSING)
    example = torch.zeros((2, *PREPROCESSING.shape), dtype=torch.uint8)
    sites = find_sites(model, scaling(example))
    spreads = [ASSUMED] * len(sites)
    if related:
        generator = torch.Generator().manual_seed(0)
        spreads = [
            replace(
                ASSUMED, relations=relations_of(torch.randn(40, site.channels, generator=generator))
            )
            for site in sites
        ]
    parts = assemble(model, sites, scaling, example, spreads)
    exact = copy.deepcopy(model).double()
    return Exported(parts, exact, find_sites(exact, scaling(example).double()), spreads)


def assert_near(found: Floats, expected: Floats) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def check_predictions(found: Exported, count: int) -> None:
    """Predictions are those of the target branch."""
    images = found.images(count)
    assert_near(found.predict(images, {}), found.expected(images))


def check_refolding(found: Exported) -> None:
    """Any moments are compensated and folded as the layers do."""
    moments, images = found.moments(), found.images(3)
    compensate = make_session(found.parts.contents[files.COMPENSATE], {}, threads=1)
    inputs = {"mean": moments.mean, "variance": moments.variance, "count": np.array(PRIOR)}
    scale, shift = compensate.run(["scale", "shift"], inputs)
    exact = copy.deepcopy(found.exact)
    sites = find_sites(exact, torch.zeros(1, 3, 32, 32, dtype=torch.float64))
    layers = [(site.slice, site.layer) for site in sites]
    mean, variance = (torch.from_numpy(moment) for moment in moments)
    set_shrunk(layers, found.parts.contents[files.COMPENSATE], mean, variance, PRIOR)
    for site in sites:
        expected = site.layer.scale_and_shift("target")
        np.testing.assert_allclose(scale[site.slice], expected.scale.numpy(), rtol=1e-6)
        np.testing.assert_allclose(shift[site.slice], expected.shift.numpy(), rtol=1e-6, atol=1e-6)
    base = dict(load(found.parts.contents[files.BASE]))
    refolded = fold_sites(found.parts.table, {**found.parts.arrays, **base}, scale, shift)
    assert_near(found.predict(images, refolded), replace(found, exact=exact).expected(images))


def check_observation(found: Exported, count: int) -> None:
    """Every site observes the same moments as its layer, and passes on the same values."""
    images, moments, weight = found.images(count), found.moments(), np.linspace(1, 0.5, count)
    outputs = found.observe(images, weight, moments)
    with found.observing(weight, moments) as seen:
        assert_near(outputs["logits"], found.expected(images))
    for site, observation in zip(found.sites, seen, strict=True):
        assert observation.batch is not None
        assert_near(outputs["batch_mean"][site.slice], observation.batch.mean.numpy())
        assert_near(outputs["batch_variance"][site.slice], observation.batch.variance.numpy())


def check_weights(found: Exported) -> None:
    """An image of weight 0 has no effect."""
    images, moments, weight = found.images(5), found.moments(), np.array([1.0, 0, 1, 0, 1])
    every = found.observe(images, weight, moments)
    some = found.observe(images[weight > 0], weight[weight > 0], moments)
    for name in ("batch_mean", "batch_variance"):
        assert_near(every[name], some[name])
    assert_near(every["logits"][weight > 0], some["logits"])
