"""The graph of the input features alone."""

from pathlib import Path

import numpy as np

from bundle import load_bundle
from bundle.reading.feature_graph import feature_graph
from bundle.runtime import make_session


def test_it_says_what_the_whole_graph_says(small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    images = np.random.default_rng(0).integers(
        0, 256, (5, *bundle.manifest.preprocessing.shape), dtype=np.uint8
    )
    given = {
        "image": images,
        "image_weight": np.ones(5, np.float32),
        "prior_weight": np.array(3.0, np.float32),
        "mean": bundle.target.mean.astype(np.float32),
        "variance": bundle.target.variance.astype(np.float32),
    }
    (whole,) = make_session(bundle.observe, bundle.observe_arrays).run(["features"], given)
    (alone,) = make_session(feature_graph(bundle.observe), {}).run(["features"], {"image": images})
    np.testing.assert_array_equal(alone, whole)
