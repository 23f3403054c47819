from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rn_model.backbones import BackboneConfig
from rn_model.backbones.extractor import import_library
from rn_model.backbones.pretrained import make_pretrained
from tests.rn_model.backbones import own_networks
from tests.rn_model.backbones.networks import TINY
from tests.rn_model.backbones.own_networks import OldClassifier, Whole

timm = import_library("timm")
transformers = import_library("transformers")
models = import_library("torchvision").models
HERE = own_networks.__name__
IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def _vary_statistics(model: Any) -> Any:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.eval()


def _same(config: BackboneConfig, original: nn.Module, classes: int) -> bool:
    made = make_pretrained(config, classes, 3, (64, 64))
    with torch.no_grad():
        return torch.equal(made(IMAGES), original(IMAGES)) and not made.training


def test_classifiers_of_timm(tmp_path: Path) -> None:
    original = _vary_statistics(timm.create_model("test_efficientnet", num_classes=5))
    state = {f"module.{name}": value for name, value in original.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "mine.pth")
    config = BackboneConfig(name="timm:test_efficientnet", weights=tmp_path / "mine.pth")
    assert _same(config, original, 5)


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_classifiers_of_torchvision(tmp_path: Path, name: str) -> None:
    options = {"init_weights": False} if name == "googlenet" else {}
    original = _vary_statistics(models.get_model(name, num_classes=4, **options))
    torch.save(original.state_dict(), tmp_path / "mine.pth")
    config = BackboneConfig(
        name=f"torchvision:{name}", weights=tmp_path / "mine.pth", arguments=options
    )
    assert _same(config, original, 4)


def test_classifiers_of_transformers(tmp_path: Path) -> None:
    config = transformers.ResNetConfig.from_dict(TINY | {"layer_type": "basic", "num_labels": 6})
    original = _vary_statistics(transformers.ResNetForImageClassification(config))
    original.save_pretrained(tmp_path / "folder")
    made = make_pretrained(
        BackboneConfig(name=f"transformers:{tmp_path / 'folder'}"), 6, 3, (64, 64)
    )
    with torch.no_grad():
        torch.testing.assert_close(made(IMAGES), original(IMAGES).logits)


def test_networks_of_ones_own(tmp_path: Path) -> None:
    whole = _vary_statistics(Whole(4, 3))
    torch.save(whole.state_dict(), tmp_path / "whole.pt")
    assert _same(BackboneConfig(name=f"{HERE}:Whole", weights=tmp_path / "whole.pt"), whole, 4)
    fixed = _vary_statistics(OldClassifier())
    torch.save(fixed.state_dict(), tmp_path / "fixed.pt")
    config = BackboneConfig(name=f"{HERE}:OldClassifier", weights=tmp_path / "fixed.pt")
    assert _same(config, fixed, 10)
    with pytest.raises(ValueError, match="one output for each of the 4 classes, not 10"):
        make_pretrained(config, 4, 3)


def test_weights_for_other_classes_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "whole.pt"
    torch.save({"net": Whole(4, 3).state_dict()}, file)
    config = BackboneConfig(name=f"{HERE}:Whole", weights=file)
    with pytest.raises(
        ValueError, match=r"the classifier fc in .*whole\.pt is for 4 classes, not 5$"
    ):
        make_pretrained(config, 5, 3)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(Whole(4, 3, width=5).state_dict(), tmp_path / "whole.pt")
    config = BackboneConfig(name=f"{HERE}:Whole", weights=tmp_path / "whole.pt")
    with pytest.raises(
        ValueError, match=r"does not fit the network: 0 of 6 .*wrong shape: conv\.weight \(5,"
    ):
        make_pretrained(config, 4, 3)


def test_weights_must_be_named() -> None:
    with pytest.raises(ValueError, match="has no file of weights"):
        make_pretrained(BackboneConfig(name=f"{HERE}:Whole"), 4, 3)
