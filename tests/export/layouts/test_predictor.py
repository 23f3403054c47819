from pathlib import Path

import numpy as np

from bundle import load_bundle
from export.layouts import read_predictor, select_predictor
from tests.networks import SMALL


def test_a_bundle_on_disk_and_in_memory_give_the_same(full_bundle: Path) -> None:
    manifest = load_bundle(full_bundle).manifest
    contents = {path.name: path.read_bytes() for path in full_bundle.iterdir()}
    for precision in (None, *manifest.variants):
        found = read_predictor(full_bundle, precision)
        assert found == select_predictor(manifest, contents, precision)
        assert found.image_dims == SMALL.preprocessing.shape
        assert found.example.shape == (1, *SMALL.preprocessing.shape)
        assert found.example.dtype == np.uint8
