"""A network that was only pretrained is served, follows its images, and comes back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bundle import Pixels
from export import export_pretrained
from export.network.pixel_scaling import PixelScaling
from tests.networks import SMALL, set_moments, trained_net
from tests.service.pictures import flat, noise
from tests.service.running import Service, serving, settings_for
from tests.shrinking import shrunk

EVERY = 32


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of a bundle without sample images, input profile and training."""
    path = tmp_path / "bundle"
    export_pretrained(trained_net(), SMALL.classes, SMALL.preprocessing, path)
    with serving(settings_for(path, tmp_path, commit_every=EVERY)) as running:
        yield running


def probabilities(model: nn.Module, images: Pixels) -> np.ndarray:
    """What torch predicts in evaluation mode."""
    with torch.no_grad():
        scaled = PixelScaling(SMALL.preprocessing)(torch.from_numpy(images))
        found: np.ndarray = model.eval()(scaled).softmax(1).numpy()
    return found


def served(answer: dict[str, Any]) -> np.ndarray:
    """The probabilities in an answer."""
    return np.array(
        [
            [image["probabilities"][label] for label in SMALL.classes]
            for image in answer["predictions"]
        ]
    )


def with_moments(service: Service, version: int) -> nn.Module:
    """The pretrained network, whose BatchNorm has the target moments of a version, as they are weighed."""
    served_model = service.resources.models.default
    state = served_model.targets.default.queries.version(version).state
    model, bundle = trained_net(), served_model.bundle
    set_moments(model, *shrunk(model, bundle.compensate, *state.moments, state.count))
    return model


def test_its_statistics_follow_the_images_and_come_back(service: Service) -> None:
    images = noise(8, 5)
    first = service.predict(images)
    assert first["version"] == 0
    np.testing.assert_allclose(served(first), probabilities(trained_net(), images), atol=1e-5)

    for seed in (1, 2):
        assert service.adapt(flat(EVERY, seed))["serving"] == seed
    adapted = service.predict(images)
    assert adapted["version"] == 2
    np.testing.assert_allclose(
        served(adapted), probabilities(with_moments(service, 2), images), atol=1e-4
    )
    assert np.abs(served(adapted) - served(first)).max() > 0.01

    assert service.post("/rollback", json={"version": 0})["serving"] == 0
    again = service.predict(images)
    assert again["version"] == 0
    assert again["predictions"] == first["predictions"]
