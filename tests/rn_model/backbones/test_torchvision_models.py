from pathlib import Path

import pytest
import torch
from torch import nn

from rn_model.backbones import AdaptationNetwork, BackboneConfig, make_network
from rn_model.backbones.extractor import import_library

models = import_library("torchvision").models

FEATURES = {
    "densenet121": 1024,
    "mobilenet_v2": 1280,
    "mobilenet_v3_small": 1024,
    "efficientnet_b0": 1280,
    "regnet_x_400mf": 400,
    "googlenet": 1024,
    "shufflenet_v2_x0_5": 1024,
}


@pytest.mark.parametrize("name", FEATURES)
def test_the_classifier_is_dropped(name: str) -> None:
    network = make_network(BackboneConfig(name=f"torchvision:{name}", bottleneck=None), 4, 1)
    assert isinstance(network, AdaptationNetwork)
    assert network.classifier.in_features == FEATURES[name]
    with torch.no_grad():
        assert network(torch.randn(2, 1, 64, 64)).shape == (2, 4)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_weights_of_a_classifier_are_loaded(tmp_path: Path, name: str, channels: int) -> None:
    pretrained = models.get_model(name, num_classes=10)
    torch.save(pretrained.state_dict(), tmp_path / "weights.pth")
    config = BackboneConfig(name=f"torchvision:{name}", weights=tmp_path / "weights.pth")
    network = make_network(config, 4, channels)
    assert isinstance(network, AdaptationNetwork)
    last = [module for module in pretrained.modules() if isinstance(module, nn.Linear)][-1]
    images = torch.randn(2, channels, 64, 64)
    with torch.no_grad():
        expected = pretrained.eval()(images.expand(-1, 3, -1, -1))
        torch.testing.assert_close(
            last(network.eval().features(images)), expected, rtol=1e-4, atol=1e-5
        )


def test_classifiers_half_way_are_dropped_from_a_file_of_weights(tmp_path: Path) -> None:
    pretrained = models.get_model("googlenet", init_weights=False)
    torch.save(pretrained.state_dict(), tmp_path / "weights.pth")
    config = BackboneConfig(
        name="torchvision:googlenet",
        arguments={"init_weights": False},
        weights=tmp_path / "weights.pth",
    )
    network = make_network(config, 4, 3)
    weight = network.get_parameter("features.conv1.conv.weight")
    assert torch.equal(weight, pretrained.conv1.conv.weight)


def test_what_is_no_classifier_is_an_error() -> None:
    for name in ("resnt18", "fcn_resnet50"):
        with pytest.raises(ValueError, match=f"no classifier '{name}'; similar names: .*resnet"):
            make_network(BackboneConfig(name=f"torchvision:{name}"), 4, 3)
    with pytest.raises(ValueError, match=r"cannot make squeezenet1_1: .* no linear layer"):
        make_network(BackboneConfig(name="torchvision:squeezenet1_1"), 4, 3)
