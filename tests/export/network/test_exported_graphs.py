from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from bundle import Bundle, Pixels, files, load_bundle
from bundle.moments import FlatMoments
from bundle.runtime import Refolder, make_session
from export import BundleInfo
from export.graphs.tracing import trace
from export.network.input_features import input_features
from export.network.pixel_scaling import PixelScaling
from rn_model import domain_norms
from rn_model.layers.conversion.surgery import replace_modules
from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.moments import Moments
from rn_model.layers.observation import Observation
from tests.networks import SMALL, WIDE, random_images, small_model, wide_model
from tests.shrinking import set_shrunk, spreads

Logits = NDArray[np.float32]
COUNT = 9.0
NORMALIZATIONS = {
    "BatchNormalization",
    "Div",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "LpNormalization",
    "MeanVarianceNormalization",
    "Pow",
    "Reciprocal",
    "RMSNormalization",
    "Softmax",
    "Sqrt",
}


class Case:
    """A model and its bundle, run on the same images."""

    def __init__(self, model: nn.Module, path: Path, info: BundleInfo) -> None:
        self.model, self.path, self.info = model, path, info
        self.network = nn.Sequential(PixelScaling(info.preprocessing), model).eval()
        self.bundle = load_bundle(path)

    def images(self, count: int) -> Pixels:
        return random_images(self.info, count, seed=count)

    def expected(self, images: Pixels) -> Logits:
        with torch.no_grad():
            logits: Logits = self.network(torch.from_numpy(images)).numpy()
        return logits

    def moments(self, seed: int) -> FlatMoments:
        generator = np.random.default_rng(seed)
        channels = self.bundle.manifest.channels
        return FlatMoments(generator.normal(size=channels), generator.uniform(0.2, 3, channels))

    def layers(self) -> list[tuple[slice, DomainNorm]]:
        layers = [layer for _, layer in domain_norms(self.model)]
        return [
            (site.slice, layer)
            for site, layer in zip(self.bundle.manifest.sites, layers, strict=True)
        ]

    def set_target(self, moments: FlatMoments) -> None:
        """Give the model what the graphs make of raw moments of ``COUNT`` images."""
        for part, layer in self.layers():
            base = (torch.from_numpy(value[part]) for value in self.bundle.target)
            layer.set_running("target", Moments(*base), num_images=1)
        mean, variance = (torch.from_numpy(value) for value in moments)
        set_shrunk(self.layers(), self.bundle.compensate, mean, variance, COUNT)


@pytest.fixture(params=["small", "wide"])
def case(request: pytest.FixtureRequest, small_bundle: Path, wide_bundle: Path) -> Case:
    if request.param == "small":
        return Case(small_model(), small_bundle, SMALL)
    return Case(wide_model(), wide_bundle, WIDE)


def assert_near(
    found: NDArray[np.floating], expected: NDArray[np.floating], tolerance: float = 1e-4
) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def predict(bundle: Bundle, images: Pixels, moments: FlatMoments | None = None) -> Logits:
    arrays = Refolder(bundle).arrays(moments, COUNT) if moments else bundle.predict_arrays
    session = make_session(bundle.predict, arrays, threads=1)
    logits: Logits = session.run(["logits"], {"image": images})[0]
    return logits


def test_nothing_of_a_normalization_is_left(case: Case) -> None:
    nodes = Counter(node.op_type for node in onnx.load_from_string(case.bundle.predict).graph.node)
    assert not NORMALIZATIONS & nodes.keys()

    # The same network without norms, traced the same way, plus a Mul and an Add for explicit sites.
    bare = replace_modules(
        case.model, lambda _, m: nn.Identity() if isinstance(m, DomainNorm) else None
    )
    example = torch.from_numpy(case.images(2))
    graph = trace(
        nn.Sequential(PixelScaling(case.info.preprocessing), bare),
        (example,),
        ["image"],
        ["logits"],
        [{0: "N"}],
    )
    explicit = sum(not site.folded for site in case.bundle.manifest.sites)
    expected = Counter(node.op_type for node in graph.graph)
    assert nodes == expected + Counter({"Mul": explicit, "Add": explicit})


def test_only_sites_that_cannot_be_folded_are_explicit(wide_bundle: Path) -> None:
    sites = load_bundle(wide_bundle).manifest.sites
    assert {site.name for site in sites if not site.folded} == {"norm_after_relu", "norm_forked"}
    axes = {site.name: site.axis for site in sites}
    assert axes["norm_transposed"] == 1 and axes["norm_grouped"] == 0
    arrays = [name for site in sites for name in (site.weight, site.bias) if name]
    assert len(arrays) == len(set(arrays))  # twins were told apart


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_predictions_are_the_target_branchs(case: Case, count: int) -> None:
    images = case.images(count)
    assert_near(predict(case.bundle, images), case.expected(images))


def test_refolding_any_moments_is_what_the_model_does_with_them(case: Case) -> None:
    images = case.images(7)
    for seed in range(3):
        moments = case.moments(seed)
        case.set_target(moments)
        assert_near(predict(case.bundle, images, moments), case.expected(images))


def test_scale_and_shift_are_the_layers(case: Case) -> None:
    moments = case.moments(5)
    scale, shift = Refolder(case.bundle).scale_and_shift(moments, COUNT)
    assert scale.dtype == shift.dtype == np.float64
    case.set_target(moments)
    for part, layer in case.layers():
        expected = layer.scale_and_shift("target")
        assert_near(scale[part], expected.scale.detach().numpy(), 1e-5)
        assert_near(shift[part], expected.shift.detach().numpy(), 1e-5)


def observe(
    bundle: Bundle, images: Pixels, weight: NDArray[np.float32], prior: float, moments: FlatMoments
) -> dict[str, NDArray[np.float32]]:
    session = make_session(bundle.observe, bundle.observe_arrays, threads=1)
    inputs = {
        "image": images,
        "image_weight": weight,
        "prior_weight": np.array(prior, np.float32),
        "mean": moments.mean.astype(np.float32),
        "variance": moments.variance.astype(np.float32),
    }
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


@pytest.mark.parametrize("prior", [0.0, 5.0, 1e30])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_observing_is_what_the_layers_do(case: Case, count: int, prior: float) -> None:
    images, moments = case.images(count), case.moments(1)
    weight = np.linspace(1, 0.5, count).astype(np.float32)
    found = observe(case.bundle, images, weight, prior, moments)

    single = [torch.from_numpy(value).float() for value in moments]
    known = spreads(case.bundle.compensate)
    for (part, layer), spread in zip(case.layers(), known, strict=True):
        mean, variance = (value[part] for value in single)
        layer.observation = Observation(
            "target", torch.from_numpy(weight), prior, Moments(mean, variance), spread.float()
        )
    assert_near(found["logits"], case.expected(images))
    for part, layer in case.layers():
        assert layer.observation is not None and layer.observation.batch is not None
        batch = layer.observation.batch
        assert_near(found["batch_mean"][part], batch.mean.numpy())
        assert_near(found["batch_variance"][part], batch.variance.numpy())
    assert_near(found["features"], input_features(torch.from_numpy(images)).numpy())


def test_an_image_of_weight_zero_has_no_effect(case: Case) -> None:
    images, moments = case.images(6), case.moments(2)
    weight = np.array([1, 0, 1, 1, 0, 1], np.float32)
    kept = weight > 0
    every = observe(case.bundle, images, weight, 3.0, moments)
    some = observe(case.bundle, images[kept], weight[kept], 3.0, moments)
    for name in ("logits", "features"):
        assert_near(every[name][kept], some[name])
    for name in ("batch_mean", "batch_variance"):
        assert_near(every[name], some[name])


def test_a_heavy_prior_makes_observing_predicting(case: Case) -> None:
    images = case.images(4)
    found = observe(case.bundle, images, np.ones(4, np.float32), 1e30, case.bundle.target)
    assert_near(found["logits"], predict(case.bundle, images))


def test_plain_onnxruntime_runs_the_files(case: Case) -> None:
    images = case.images(3)
    session = ort.InferenceSession(case.path / files.PREDICT)
    assert_near(session.run(None, {"image": images})[0], case.expected(images))
    inputs = {
        "image": images,
        "image_weight": np.ones(3, np.float32),
        "prior_weight": np.array(1e30, np.float32),
        "mean": case.bundle.target.mean.astype(np.float32),
        "variance": case.bundle.target.variance.astype(np.float32),
    }
    session = ort.InferenceSession(case.path / files.OBSERVE)
    assert_near(session.run(["logits"], inputs)[0], case.expected(images))
    session = ort.InferenceSession(case.path / files.COMPENSATE)
    base = {
        "mean": case.bundle.target.mean,
        "variance": case.bundle.target.variance,
        "count": np.array(0.0),
    }
    scale, shift = Refolder(case.bundle).scale_and_shift(case.bundle.target, 0.0)
    for found, expected in zip(session.run(["scale", "shift"], base), (scale, shift), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_features_distinguish_flat_striped_and_noisy_images() -> None:
    flat = np.full((8, 6, 1), 51, np.uint8)
    rows = np.tile(np.array([0, 255], np.uint8)[:, None, None], (4, 6, 1))
    columns = np.tile(np.array([0, 255], np.uint8)[None, :, None], (8, 3, 1))
    found = input_features(torch.from_numpy(np.stack([flat, rows, columns]))).numpy()
    expected = [[0.2, 0, 0, 0], [0.5, 0.5, 1, 0], [0.5, 0.5, 0, 1]]
    np.testing.assert_allclose(found[:, :4], expected, atol=1e-6)


def test_features_of_large_images_are_those_of_bands() -> None:
    generator = np.random.default_rng(0)
    large = torch.from_numpy(generator.integers(0, 256, (2, 224, 40, 3), dtype=np.uint8))
    # One band of 8 rows begins every 56.
    bands = large[:, :224].reshape(2, 4, 56, 40, 3)[:, :, :8].flatten(0, 1)
    expected = input_features(bands).view(2, 4, -1)
    found = input_features(large)
    # Means over equal bands; others are no means.
    of_means = [0, 2, 3, 4, 5, 6, 7, 9]
    np.testing.assert_allclose(
        found[:, of_means].numpy(), expected.mean(dim=1)[:, of_means].numpy(), rtol=1e-5
    )
    unread = large.clone()
    unread[:, 8:56] = 0
    np.testing.assert_array_equal(input_features(unread).numpy(), found.numpy())
    assert not torch.equal(input_features(unread, free_size=True), found)
