from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from rn_model.backbones import AdaptationNetwork, BackboneConfig, make_network


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "regnetx_002"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_weights_of_a_classifier_are_loaded(tmp_path: Path, name: str, channels: int) -> None:
    pretrained: Any = timm.create_model(name, num_classes=10)
    torch.save(pretrained.state_dict(), tmp_path / "weights.pth")
    config = BackboneConfig(name=f"timm:{name}", weights=tmp_path / "weights.pth")
    network = make_network(config, 4, channels)
    assert isinstance(network, AdaptationNetwork)
    images = torch.randn(2, channels, 64, 64)
    with torch.no_grad():
        expected = pretrained.eval().forward_head(
            pretrained.forward_features(images.expand(-1, 3, -1, -1)), pre_logits=True
        )
        torch.testing.assert_close(network.eval().features(images), expected, rtol=1e-4, atol=1e-5)


def test_the_weights_of_another_model_are_an_error(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "weights.pth")
    config = BackboneConfig(name="timm:test_efficientnet", weights=tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"the network needs conv_stem\.weight"):
        make_network(config, 4, 3)


@pytest.mark.parametrize("name", ["resnt18", "hf-hub:somebody/resnet18", "local-dir:/resnet18"])
def test_an_unknown_model_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"timm has no model '{name}'; similar names: "):
        make_network(BackboneConfig(name=f"timm:{name}"), 4, 3)


def test_an_unknown_argument_is_an_error() -> None:
    config = BackboneConfig(name="timm:resnet18", arguments={"width_factor": 3})
    with pytest.raises(ValueError, match=r"timm cannot make resnet18: .*width_factor"):
        make_network(config, 4, 3)


def test_a_network_without_batch_norm_is_an_error() -> None:
    config = BackboneConfig(name="timm:test_convnext", bottleneck=None)
    with pytest.raises(ValueError, match="test_convnext has no BatchNorm layer"):
        make_network(config, 4, 3)
