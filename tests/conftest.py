"""Bundles that take seconds to export, made once for all tests that only read them."""

import os
from pathlib import Path

import pytest
import torch

from export import export_bundle
from tests.networks import SMALL, WIDE, random_images, small_model, wide_model

torch.set_num_threads(1)
# Processes that tests start add up in the same order as this one, and do not fight over processors.
os.environ["OMP_NUM_THREADS"] = "1"


def _declare_vision_operators() -> torch.library.Library:
    """The operators without which torchvision cannot be imported where it has no binary for this torch.

    None of them is ever run here.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(  # type: ignore[no-untyped-call]
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
    return library


VISION_OPERATORS = _declare_vision_operators()


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """:func:`tests.networks.small_model` with calibration and canary; not to be changed."""
    path = tmp_path_factory.mktemp("bundles") / "small"
    export_bundle(small_model(), path, SMALL, images=random_images(SMALL, 300))
    return path


@pytest.fixture(scope="session")
def wide_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """:func:`tests.networks.wide_model` without images; not to be changed."""
    path = tmp_path_factory.mktemp("bundles") / "wide"
    export_bundle(wide_model(), path, WIDE)
    return path
