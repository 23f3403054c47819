"""Networks of every family: folded, observed and refolded as the torch layers compute it in float64."""

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load
from torch import nn

from bundle import Pixels, Preprocessing, files
from bundle.fold import fold_sites
from bundle.moments import FlatMoments
from bundle.runtime import make_session
from export.assembly import Assembly, assemble
from export.graphs import Scaling
from export.sites import NormSite, find_sites
from rn_model import convert_reciprocal_norm
from rn_model.domain_norm import Observation
from rn_model.moments import Moments
from tests.export.families import FAMILIES
from tests.networks import shake

PREPROCESSING = Preprocessing(
    mode="RGB", height=32, width=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25)
)
PRIOR = 5.0
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Family:
    """A network of a family, what it became, and the same network in float64."""

    name: str
    parts: Assembly
    exact: nn.Module
    sites: list[NormSite]

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
            scaled = Scaling(PREPROCESSING)(torch.from_numpy(images))
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
        """Let the layers observe what passes through them."""
        seen = []
        for site in self.sites:
            moments = Moments(*(torch.from_numpy(value[site.slice]) for value in prior))
            seen.append(Observation("target", torch.from_numpy(weight), PRIOR, moments))
            site.layer.observation = seen[-1]
        yield seen
        for site in self.sites:
            site.layer.observation = None


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = FAMILIES[request.param][0]().eval()
    convert_reciprocal_norm(model).requires_grad_(False)
    shake(model)
    scaling = Scaling(PREPROCESSING)
    example = torch.zeros((2, *PREPROCESSING.shape), dtype=torch.uint8)
    parts = assemble(model, find_sites(model, scaling(example)), scaling, example)
    exact = copy.deepcopy(model).double()
    return Family(request.param, parts, exact, find_sites(exact, scaling(example).double()))


def assert_near(found: Floats, expected: Floats) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_every_norm_that_can_be_folded_is_and_no_other_is_left(family: Family) -> None:
    explicit = {site.name for site in family.parts.table if not site.folded}
    assert explicit == FAMILIES[family.name][1]
    assert [site.name for site in family.parts.table] == [site.name for site in family.sites]
    graph = onnx.load_model_from_string(family.parts.contents[files.PREDICT]).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert not {kind for kind in kinds if "Normalization" in kind}
    scales = {site.scale for site in family.parts.table}
    assert sum(bool(scales & set(node.input)) for node in graph.node) == len(explicit)


@pytest.mark.parametrize("count", [1, 5])
def test_predictions_are_the_target_branchs(family: Family, count: int) -> None:
    images = family.images(count)
    assert_near(family.predict(images, {}), family.expected(images))


def test_any_moments_are_refolded(family: Family) -> None:
    moments, images = family.moments(), family.images(3)
    compensate = make_session(family.parts.contents[files.COMPENSATE], {}, threads=1)
    inputs = {"mean": moments.mean, "variance": moments.variance}
    scale, shift = compensate.run(["scale", "shift"], inputs)
    exact = copy.deepcopy(family.exact)
    for site in find_sites(exact, torch.zeros(1, 3, 32, 32, dtype=torch.float64)):
        own = Moments(*(torch.from_numpy(value[site.slice]) for value in moments))
        site.layer.set_running("target", own, num_images=1)
        expected = site.layer.scale_and_shift("target")
        np.testing.assert_allclose(scale[site.slice], expected.scale.numpy(), rtol=1e-6)
        np.testing.assert_allclose(shift[site.slice], expected.shift.numpy(), rtol=1e-6, atol=1e-6)
    base = load_base(family.parts)
    refolded = fold_sites(family.parts.table, {**family.parts.arrays, **base}, scale, shift)
    other = Family(family.name, family.parts, exact, [])
    assert_near(family.predict(images, refolded), other.expected(images))


def load_base(parts: Assembly) -> dict[str, NDArray[np.float32]]:
    return dict(load(parts.contents[files.BASE]))


@pytest.mark.parametrize("count", [1, 4])
def test_every_site_observes_what_its_layer_does(family: Family, count: int) -> None:
    images, moments, weight = family.images(count), family.moments(), np.linspace(1, 0.5, count)
    found = family.observe(images, weight, moments)
    with family.observing(weight, moments) as seen:
        assert_near(found["logits"], family.expected(images))
    for site, observation in zip(family.sites, seen, strict=True):
        assert observation.batch is not None
        assert_near(found["batch_mean"][site.slice], observation.batch.mean.numpy())
        assert_near(found["batch_variance"][site.slice], observation.batch.variance.numpy())


def test_an_image_of_weight_zero_is_not_there(family: Family) -> None:
    images, moments, weight = family.images(5), family.moments(), np.array([1.0, 0, 1, 0, 1])
    every = family.observe(images, weight, moments)
    some = family.observe(images[weight > 0], weight[weight > 0], moments)
    for name in ("batch_mean", "batch_variance"):
        assert_near(every[name], some[name])
    assert_near(every["logits"][weight > 0], some["logits"])
