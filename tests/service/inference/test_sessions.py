from pathlib import Path

import numpy as np

from bundle import load_bundle
from service.inference.sessions import CpuRunner, SessionBuilder, predictor_maker
from service.settings import Settings
from tests.contracts import SMALL, random_images


def test_version_0_runs_in_the_session_that_tried_the_bundle(small_bundle: Path) -> None:
    settings = Settings(bundle=small_bundle)
    bundle = load_bundle(small_bundle, None, predictor_maker(settings))
    tried = bundle.predictor.take()
    assert tried is not None
    bundle.predictor.give(tried)
    builder = SessionBuilder(bundle, settings)
    first, second = builder.build(0, bundle.target, 0.0), builder.build(0, bundle.target, 0.0)
    assert isinstance(first.runner, CpuRunner) and first.runner.runtime is tried
    assert isinstance(second.runner, CpuRunner) and second.runner.runtime is not tried
    images = random_images(SMALL, 3)
    np.testing.assert_array_equal(first.probabilities(images), second.probabilities(images))


def test_a_session_that_does_not_fit_is_freed(small_bundle: Path) -> None:
    settings = Settings(bundle=small_bundle)
    for version, threads in ((1, 1), (0, 2)):
        bundle = load_bundle(small_bundle, None, predictor_maker(settings))
        session = SessionBuilder(bundle, settings, threads).build(version, bundle.target, 0.0)
        assert bundle.predictor.take() is None
        assert isinstance(session.runner, CpuRunner)
        assert session.runner.runtime.get_session_options().intra_op_num_threads == threads
