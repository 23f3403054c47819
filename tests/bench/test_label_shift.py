from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from bench.label_shift import preferences
from bench.resnet20 import ResNet20, write_features


def test_probes_prefer_the_better_network_the_surer_the_larger_they_are() -> None:
    before, after = np.arange(400) % 2 == 0, np.arange(400) % 5 == 0
    shares = [preferences(before, after, labels)[0] for labels in (5, 50, 400)]
    assert 0.6 < shares[0] < shares[1] < shares[2] == 1.0
    assert preferences(before, before, 20) == (0.0, 1.0)


def test_a_classifier_is_left_out_of_the_weights(tmp_path: Path) -> None:
    network, other = ResNet20(), ResNet20()
    arrays: dict[str, Any] = {k: v.numpy() for k, v in network.state_dict().items()}
    arrays["linear.weight"] = np.zeros((10, 64))
    np.savez(tmp_path / "whole.npz", **arrays)
    write_features(tmp_path / "whole.npz", tmp_path / "features.safetensors")
    other.load_state_dict(load_file(tmp_path / "features.safetensors"))
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(network.eval()(images), other.eval()(images))
    assert network(images).shape == (2, 64)
