import pytest
import torch
from torch import nn

from rn_model.backbones.classifier import final_linear
from rn_model.digits.digitnet import DigitNet


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 32)])
def test_shapes(channels: int, size: int) -> None:
    network = DigitNet(num_classes=7, channels=channels, size=size, width=4, bottleneck=12).eval()
    x = torch.randn(2, channels, size, size)
    assert network.features(x).shape == (2, 12)
    assert network(x).shape == (2, 7)


def test_the_logits_are_the_classifier_of_the_features() -> None:
    network = DigitNet(width=4).eval()
    x = torch.randn(3, 1, 16, 16)
    assert final_linear(network) is network.classifier
    torch.testing.assert_close(network(x), network.classifier(network.features(x)))


def test_every_norm_follows_a_layer_without_bias_directly() -> None:
    modules = list(DigitNet().modules())
    norms = [m for m in modules if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    makers = [m for m in modules if isinstance(m, (nn.Conv2d, nn.Linear)) and m.bias is None]
    assert len(norms) == len(makers) == 11


@pytest.mark.parametrize("size", [0, 12])
def test_a_size_that_does_not_halve_three_times_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        DigitNet(size=size)
