"""Every normalization is exported, and its bundle adapts as the torch layers do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bundle import load_bundle
from bundle.moments import FlatMoments
from bundle.runtime import Refolder, make_session
from export import export_bundle
from export.network.pixel_scaling import PixelScaling
from rn_model.layers import Normalization, NormalizationName, convert_normalization
from rn_model.layers.domain_norm import domain_norms
from rn_model.layers.moments import Moments
from rn_model.layers.observation import Observation
from tests.networks import SMALL, TinyNet, random_images, shake
from tests.shrinking import set_shrunk, spreads

NAMES: dict[NormalizationName, str] = {
    "bn": "BatchNorm",
    "adabn": "AdaBN",
    "autodial": "AutoDIAL",
    "dsbn": "DSBN",
    "transnorm": "TransNorm",
    "ccn": "CommonCenterNorm",
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_bundle_adapts_as_the_layers_do(kind: NormalizationName, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = convert_normalization(TinyNet(), Normalization(kind=kind)).eval()
    shake(model)
    if kind == "bn":
        model.get_buffer("norm.source_share").fill_(0.3)
    manifest = export_bundle(model, tmp_path / "bundle", SMALL, images=random_images(SMALL, 9))
    assert manifest.normalization == NAMES[kind]
    assert manifest.parity["logit_error"] < 1e-5

    bundle = load_bundle(tmp_path / "bundle")
    images = random_images(SMALL, 5, seed=1)
    network = nn.Sequential(PixelScaling(SMALL.preprocessing), model)
    ((_, layer),) = domain_norms(model)
    moments = FlatMoments(np.linspace(-1, 1, 4), np.linspace(0.5, 2, 4))
    mean, variance = (torch.from_numpy(value) for value in moments)

    layer.observation = Observation(
        "target",
        torch.ones(5),
        3.0,
        Moments(mean.float(), variance.float()),
        spreads(bundle.compensate)[0].float(),
    )
    observe = make_session(bundle.observe, bundle.observe_arrays, threads=1)
    inputs = {
        "image": images,
        "image_weight": np.ones(5, np.float32),
        "prior_weight": np.array(3.0, np.float32),
        "mean": moments.mean.astype(np.float32),
        "variance": moments.variance.astype(np.float32),
    }
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(observe.run(["logits"], inputs)[0], expected, rtol=1e-4, atol=1e-4)
    layer.observation = None

    set_shrunk([(slice(None), layer)], bundle.compensate, mean, variance, 3.0)
    scale, shift = layer.scale_and_shift("target")
    found = Refolder(bundle).scale_and_shift(moments, 3.0)
    np.testing.assert_allclose(found[0], scale.detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(found[1], shift.detach().numpy(), rtol=1e-4, atol=1e-5)
    predict = make_session(bundle.predict, Refolder(bundle).arrays(moments, 3.0), threads=1)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    found_logits = predict.run(["logits"], {"image": images})[0]
    np.testing.assert_allclose(found_logits, expected, rtol=1e-4, atol=1e-4)
