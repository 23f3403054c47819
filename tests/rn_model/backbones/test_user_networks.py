"""Users' own networks."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from rn_model.backbones import AdaptationNetwork, BackboneConfig, make_network
from rn_model.backbones.classifier import final_linear, final_linear_name
from tests.rn_model.backbones import own_networks

HERE = own_networks.__name__
IMAGES = torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32)


def test_a_network_that_takes_the_number_of_classes_is_used_as_it_is() -> None:
    config = BackboneConfig(name=f"{HERE}:Whole", arguments={"width": 3}, bottleneck=9)
    network = make_network(config, num_classes=4, channels=2)
    assert isinstance(network, own_networks.Whole)
    assert network.conv.in_channels == 2 and network.conv.out_channels == 3
    assert network.fc.out_features == 4


def test_the_number_of_classes_may_be_given_as_an_argument_if_it_is_right() -> None:
    config = BackboneConfig(name=f"{HERE}:Whole", arguments={"num_classes": 4})
    assert isinstance(make_network(config, 4, 3), own_networks.Whole)
    with pytest.raises(
        ValueError, match="fc, must have one output for each of the 5 classes, not 4"
    ):
        make_network(config, 5, 3)


def test_a_classifier_of_the_wrong_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="each of the 4 classes, not 5"):
        make_network(BackboneConfig(name=f"{HERE}:wrong_size"), 4, 3)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Pair", "returns a tuple, not one tensor"),
        ("Grid", r"must return logits \(N, 4\), not \('N', 4, 1, 1\)"),
        ("broken", "cannot make the network .*: no network for 4 classes$"),
    ],
)
def test_a_classifier_that_does_not_work_is_refused(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_network(BackboneConfig(name=f"{HERE}:{name}"), 4, 3, (32, 32))


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_pooled_and_classified(channels: int) -> None:
    network = make_network(BackboneConfig(name=f"{HERE}:Maps", bottleneck=5), 4, channels)
    assert isinstance(network, AdaptationNetwork)
    assert isinstance(network.features, own_networks.Maps)
    assert network.classifier is final_linear(network)
    images = IMAGES[:, :channels]
    logits = network.eval()(images)
    pooled = network.features(images).mean((2, 3))
    torch.testing.assert_close(logits, network.classifier(network.bottleneck(pooled)))
    assert logits.shape == (2, 4) and network.classifier.in_features == 5


def test_the_old_classifier_is_dropped() -> None:
    network = make_network(BackboneConfig(name=f"{HERE}:OldClassifier", bottleneck=None), 4, 3)
    assert isinstance(network, AdaptationNetwork)
    assert final_linear_name(network.features) == "hidden"
    assert network.classifier.in_features == 5
    assert network(IMAGES).shape == (2, 4)


def test_a_linear_layer_within_the_features_stays() -> None:
    network = make_network(BackboneConfig(name=f"{HERE}:Embedding", bottleneck=None), 4, 3)
    assert isinstance(network, AdaptationNetwork)
    assert isinstance(network.features.get_submodule("hidden"), nn.Linear)
    assert network.classifier.in_features == 5


def test_features_of_images_of_one_size_only() -> None:
    config = BackboneConfig(name=f"{HERE}:fixed_size")
    assert make_network(config, 4, 3, size=(10, 12))(torch.zeros(2, 3, 10, 12)).shape == (2, 4)
    with pytest.raises(ValueError, match=r"fails on images of shape \(3, 224, 224\)"):
        make_network(config, 4, 3)


def test_a_network_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "my_network.py"
    file.write_text(Path(own_networks.__file__).read_text())
    try:
        network = make_network(BackboneConfig(name=f"{file}:Whole"), 4, 3)
    finally:
        del sys.modules["backbone_my_network"]
    assert type(network).__name__ == "Whole" and not isinstance(network, own_networks.Whole)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{HERE}:Absent", "cannot find the network .*Absent"),
        ("rn_model.absent:Net", "cannot find the network rn_model.absent:Net: No module named"),
        ("absent/network.py:Net", "there is no file .*absent/network.py"),
        (f"{HERE}:CONSTANT", "CONSTANT is not callable"),
        (f"{HERE}:not_a_network", "not_a_network returned a str, not a network"),
    ],
)
def test_what_is_no_network_is_an_error_of_one_line(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        make_network(BackboneConfig(name=name), 4, 3)
    assert "\n" not in str(caught.value)


def test_an_unknown_argument_is_an_error_of_one_line() -> None:
    config = BackboneConfig(name=f"{HERE}:Whole", arguments={"depth": 3})
    with pytest.raises(ValueError, match=r"cannot make the network .*Whole: .*'depth'"):
        make_network(config, 4, 3)


def test_a_network_without_batch_norm_is_an_error() -> None:
    config = BackboneConfig(name=f"{HERE}:without_norm", bottleneck=None)
    with pytest.raises(
        ValueError, match="without_norm has no BatchNorm layer, so there is nothing"
    ):
        make_network(config, 4, 3)
