"""An export compares one image alone with the same image in a batch."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bundle import Preprocessing, load_bundle
from export import BundleInfo, ExportError, export_bundle
from export.checks.batch import check_graph_alone, check_network_alone
from export.checks.parity import torch_logits
from export.network.pixel_scaling import PixelScaling
from rn_model import convert_normalization
from tests.networks import SMALL, random_images, small_model

CONTRACT = Preprocessing(mode="RGB", height=16, width=16, mean=(0.5,) * 3, std=(0.25,) * 3)
INFO = BundleInfo("mixing", ["a", "b"], CONTRACT, {})


def _untracked(width: int) -> nn.Module:
    """A network one of whose BatchNorms always normalizes by the batch."""
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 256, 3)),
        *(nn.BatchNorm2d(256, track_running_stats=False), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 2)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return convert_normalization(network)


@pytest.mark.parametrize("width", [4, 64])  # the larger is beyond the reference evaluator
@pytest.mark.parametrize("count", [None, 1, 24])
def test_a_network_that_mixes_images_is_refused_by_name(
    tmp_path: Path, width: int, count: int | None
) -> None:
    generator = np.random.default_rng(0)
    images = None if count is None else generator.integers(0, 256, (count, 16, 16, 3), np.uint8)
    with pytest.raises(
        ExportError,
        match=r"^layer '4' \(BatchNorm2d\) mixes the images of a batch: the answer for an",
    ):
        export_bundle(_untracked(width), tmp_path / "bundle", INFO, images=images)
    assert not (tmp_path / "bundle").exists()


def test_the_check_leaves_the_network_as_it_is() -> None:
    model = small_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    check_network_alone(model, PixelScaling(SMALL.preprocessing), random_images(SMALL, 2))
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_the_graph_is_run_on_one_image(small_bundle: Path) -> None:
    bundle, images = load_bundle(small_bundle), random_images(SMALL, 7)
    network = nn.Sequential(PixelScaling(SMALL.preprocessing), small_model()).eval()
    expected = torch_logits(network, images)
    arguments = bundle.predict, bundle.predict_arrays, images
    assert check_graph_alone(expected, *arguments)["alone_logit_error"] < 1e-5
    assert bundle.manifest.parity["alone_logit_error"] < 1e-5
    expected[0] += 1
    with pytest.raises(
        ExportError, match=r"^predict\.onnx, given one image, disagrees with the torch"
    ):
        check_graph_alone(expected, *arguments)
