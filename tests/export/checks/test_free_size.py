from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from bundle import load_bundle
from bundle.runtime import make_session
from export import ExportError, export_bundle
from export.checks.free_size import check_larger, larger_logits
from export.network.pixel_scaling import PixelScaling
from rn_model import convert_normalization
from tests.bundle.tampering import copy_of, edited
from tests.networks import SMALL, TinyNet, random_images, small_model

IMAGES = random_images(SMALL, 3)


class Flattening(TinyNet):
    """A network whose linear layer takes every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4 * 6 * 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.conv(x)).relu().flatten(1))
        return logits


def test_a_bundle_of_free_size_takes_images_of_any_size(tmp_path: Path) -> None:
    model = small_model()
    manifest = export_bundle(model, tmp_path / "free", SMALL, free_size=True)
    assert manifest.free_size and manifest.parity["free_size_logit_error"] < 1e-5
    bundle = load_bundle(tmp_path / "free")
    predict = make_session(bundle.predict, bundle.predict_arrays, threads=1)
    observe = make_session(bundle.observe, bundle.observe_arrays, threads=1)
    assert [side.name for side in (predict.get_inputs()[0], observe.get_inputs()[0])] == [
        "image"
    ] * 2
    assert predict.get_inputs()[0].shape == observe.get_inputs()[0].shape == ["N", "H", "W", 1]
    for height, width in ((8, 6), (5, 9), (1, 1)):
        images = np.resize(IMAGES, (2, height, width, 1))
        with torch.no_grad():
            expected = model(PixelScaling(SMALL.preprocessing)(torch.from_numpy(images))).numpy()
        (logits,) = predict.run(["logits"], {"image": images})
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
        inputs = {
            "image": images,
            "image_weight": np.ones(2, np.float32),
            "prior_weight": np.array(1e30, np.float32),
            "mean": bundle.target.mean.astype(np.float32),
            "variance": bundle.target.variance.astype(np.float32),
        }
        (logits,) = observe.run(["logits"], inputs)
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


class Deep(nn.Module):
    """A network whose last layer sees one pixel of the smallest images."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=4, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, stride=2, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
        )
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(x).mean((2, 3)))
        return logits


def test_no_size_of_the_smallest_images_is_left_in_the_graphs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    export_bundle(convert_normalization(Deep().eval()), tmp_path / "b", SMALL, free_size=True)
    bundle = load_bundle(tmp_path / "b")
    for graph in (bundle.predict, bundle.observe):
        found = onnx.load_model_from_string(graph).graph
        shaped = {v.name for v in found.value_info if v.type.tensor_type.HasField("shape")}
        assert not shaped.intersection(name for node in found.node for name in node.output)
    predict = make_session(bundle.predict, bundle.predict_arrays, threads=1)
    capfd.readouterr()
    for height, width in ((8, 6), (40, 24), (17, 9)):
        predict.run(["logits"], {"image": np.zeros((2, height, width, 1), np.uint8)})
    # ONNX Runtime would warn about buffers that it cannot reuse.
    assert capfd.readouterr().err == ""


def test_a_manifest_that_says_so_of_fixed_graphs_is_refused(
    small_bundle: Path, tmp_path: Path
) -> None:
    assert not load_bundle(small_bundle).manifest.free_size
    line = edited(copy_of(small_bundle, tmp_path), free_size=True)
    assert "inputs must be image: uint8 (N, H, W, 1)" in line


def test_a_network_that_needs_one_size_is_refused(tmp_path: Path) -> None:
    model = convert_normalization(Flattening())
    with pytest.raises(ExportError, match=r"^the network takes images of one size only, so"):
        export_bundle(model, tmp_path / "free", SMALL, free_size=True)
    assert not list(tmp_path.iterdir())


def test_a_graph_of_fixed_size_is_refused(small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    network = nn.Sequential(PixelScaling(SMALL.preprocessing), small_model()).eval()
    expected = larger_logits(network, IMAGES)
    assert expected.shape == (2, 3)
    with pytest.raises(ExportError, match="fixed the size of the images, which should be free"):
        check_larger(expected, bundle.predict, bundle.predict_arrays, IMAGES)
