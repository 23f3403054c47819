"""The streams of ``bench.online``: every corruption changes images, and every stream is what it says."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from bench.streams.corruptions import CORRUPTIONS, corrupt
from bench.streams.orders import JUNK_LABEL, STREAMS, Pool
from bench.streams.rivals import RIVALS
from bundle.preprocessing import Pixels


def smooth(count: int) -> Pixels:
    """Smooth images, as photographs are."""
    noise = np.random.default_rng(0).normal(size=(count, 32, 32, 3))
    values = ndimage.gaussian_filter(noise, (0, 3, 3, 0))
    found: Pixels = np.clip(128 + 60 * values / values.std(), 0, 255).astype(np.uint8)
    return found


IMAGES = smooth(12)
POOL = Pool(smooth(60), np.arange(60) % 10, 255 - smooth(8))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_severity_changes_more(name: str) -> None:
    distances = [
        np.abs(corrupt(name, IMAGES, severity).astype(float) - IMAGES).mean()
        for severity in (1, 3, 5)
    ]
    assert distances[0] > 0 and distances == sorted(distances)
    np.testing.assert_array_equal(corrupt(name, IMAGES, 5), corrupt(name, IMAGES, 5))


@pytest.mark.parametrize("name", STREAMS)
def test_streams_are_complete(name: str) -> None:
    if name == "20,000 images":
        pytest.skip("takes long")
    stream = STREAMS[name](POOL, np.random.default_rng(0))
    assert len(stream.pixels) == len(stream.labels) == stream.parts[-1][1]
    assert stream.pixels.dtype == np.uint8 and stream.pixels.shape[1:] == IMAGES.shape[1:]
    assert ((stream.labels >= 0) | (stream.labels == JUNK_LABEL)).all()
    if "sorted" in name:
        assert (np.diff(stream.labels) >= 0).all()
    if "30 %" in name:
        assert 0.2 < (stream.labels == JUNK_LABEL).mean() < 0.4


@pytest.mark.parametrize("name", RIVALS)
def test_rivals_leave_the_network_as_it_was(name: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)
    ).eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    rival = RIVALS[name](network)
    x = 3 + torch.randn(16, 3, 8, 8)
    for _ in range(3):
        logits = rival.predict(x)
    assert logits.shape == (16, 5) and torch.isfinite(logits).all()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert torch.equal(logits, network(x)) == (name == "frozen")
