"""Bundles that need no export of their own."""

from pathlib import Path

import pytest

from bundle.moments import FlatMoments
from bundle.reading.loading import load_bundle
from tests.bundle.tampering import copy_of, refold


@pytest.fixture(scope="session")
def moved_bundle(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bundle with other target statistics; not to be changed."""
    path = copy_of(small_bundle, tmp_path_factory.mktemp("moved"))
    target = load_bundle(small_bundle).target
    refold(path, FlatMoments(target.mean + 0.5, target.variance * 1.5))
    return path


@pytest.fixture
def path(small_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that the test may break."""
    return copy_of(small_bundle, tmp_path)
