import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers

from rn_model.backbones import (
    AdaptationNetwork,
    BackboneConfig,
    build,
    factory_arguments,
    make_network,
)
from tests.rn_model.backbones.networks import TINY

CONFIGS = {
    "ResNetConfig": (TINY | {"layer_type": "basic"}, 16),
    "RegNetConfig": (TINY | {"groups_width": 8}, 16),
    "MobileNetV2Config": ({"depth_multiplier": 0.25}, 1280),
    "EfficientNetConfig": (
        {"width_coefficient": 0.25, "depth_coefficient": 0.1, "hidden_dim": 320},
        320,
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a small classifier with ten classes, with its weights."""
    config = transformers.ResNetConfig.from_dict(TINY | {"layer_type": "basic", "num_labels": 10})
    model = transformers.ResNetForImageClassification(config)
    model.save_pretrained(tmp_path / "folder")
    return tmp_path / "folder"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_class_of_configurations_makes_a_network(name: str, channels: int) -> None:
    arguments, features = CONFIGS[name]
    config = BackboneConfig(name=f"transformers:{name}", arguments=arguments, bottleneck=None)
    network = make_network(config, 4, channels)
    assert isinstance(network, AdaptationNetwork)
    assert network.classifier.in_features == features
    images = torch.randn(2, channels, 64, 64)
    again = build(**json.loads(json.dumps(factory_arguments(config, 4, channels))))
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(again.eval()(images), network.eval()(images))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_makes_a_network_with_its_weights(folder: Path, channels: int) -> None:
    network = make_network(BackboneConfig(name=f"transformers:{folder}"), 4, channels)
    assert isinstance(network, AdaptationNetwork)
    pretrained = transformers.AutoModel.from_pretrained(folder).eval()
    images = torch.randn(2, channels, 64, 64)
    with torch.no_grad():
        expected = pretrained(images.expand(-1, 3, -1, -1)).pooler_output.flatten(1)
        torch.testing.assert_close(network.eval().features(images), expected, rtol=1e-4, atol=1e-5)


def test_a_network_from_a_folder_is_made_again_without_it(folder: Path) -> None:
    config = BackboneConfig(name=f"transformers:{folder}", arguments={"hidden_act": "silu"})
    network = make_network(config, 4, 1)
    arguments = factory_arguments(config, 4, 1)
    shutil.rmtree(folder)
    again = build(**json.loads(json.dumps(arguments)))
    again.load_state_dict(network.state_dict())
    images = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.equal(again.eval()(images), network.eval()(images))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("somebody/resnet-18", "neither a folder with config.json nor a configuration class"),
        ("ResNetModel", "neither a folder with config.json nor a configuration class"),
        ("TimmBackboneConfig", "use timm:NAME"),
    ],
)
def test_what_is_no_configuration_is_an_error(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network(BackboneConfig(name=f"transformers:{name}"), 4, 3)


def test_a_folder_of_an_unknown_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "unheard-of"}')
    with pytest.raises(ValueError, match=r"config\.json: ") as caught:
        make_network(BackboneConfig(name=f"transformers:{tmp_path}"), 4, 3)
    assert "\n" not in str(caught.value)


def test_an_unknown_argument_is_an_error() -> None:
    config = BackboneConfig(name="transformers:ResNetConfig", arguments={"dephts": [1]})
    with pytest.raises(ValueError, match="ResNetConfig has no argument dephts"):
        make_network(config, 4, 3)
