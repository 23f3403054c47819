from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bench.label_shift import preferences
from bench.resnet20 import ResNet20, write_features


def test_probes_prefer_the_better_network_the_surer_the_larger_they_are() -> None:
    before, after = np.arange(400) % 2 == 0, np.arange(400) % 5 == 0
    shares = [preferences(before, after, labels)[0] for labels in (5, 50, 400)]
    assert 0.6 < shares[0] < shares[1] < shares[2] == 1.0
    assert preferences(before, before, 20) == (0.0, 1.0)


def test_pretrained_weights_fit_the_network(tmp_path: Path) -> None:
    path = Path(__file__).parents[2].parent / "shared" / "data" / "CIFAR10-resnet20.npz"
    if not path.is_file():
        pytest.skip("the weights are not here")
    write_features(path, tmp_path / "features.safetensors")
    network = ResNet20()
    found = network.load_state_dict(load_file(tmp_path / "features.safetensors"), strict=False)
    assert not found.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in found.missing_keys)
    assert network.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 64)
