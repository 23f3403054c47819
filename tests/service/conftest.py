"""Services that the tests share."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bundle.files import MANIFEST
from export.input_profile import input_profile
from export.network.input_features import input_features
from tests.bundle.tampering import copy_of, write_manifest
from tests.service.pictures import noise
from tests.service.running import Service, serving, settings_for


@pytest.fixture(scope="session")
def bundle_path(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bundle, calibrated for :func:`tests.service.pictures.noise`; not to be changed."""
    path = copy_of(small_bundle, tmp_path_factory.mktemp("service"))
    manifest = json.loads((path / MANIFEST).read_text())
    images = noise(256, seed=777)
    profile = input_profile(images)
    manifest["calibration"] |= {"median": profile.median, "spread": profile.spread}
    features = input_features(torch.from_numpy(images)).tolist()
    # Without harmless updates the guards let everything pass, unless a test says otherwise.
    manifest["guards"] = {"features": features}
    write_manifest(path, manifest)
    return path


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RN_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def service(bundle_path: Path, tmp_path: Path) -> Iterator[Service]:
    """A service of its own for the test."""
    with serving(settings_for(bundle_path, tmp_path)) as running:
        yield running


@pytest.fixture(scope="module")
def shared(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the tests of a module, which must not mind one another."""
    settings = settings_for(bundle_path, tmp_path_factory.mktemp("shared"), max_images=80)
    with serving(settings) as running:
        yield running
