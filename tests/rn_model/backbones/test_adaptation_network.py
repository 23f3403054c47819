import torch
from torch import nn

from rn_model.backbones import AdaptationNetwork, split_parameters
from rn_model.backbones.classifier import classifier_input


def _features() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_the_bottleneck_is_what_the_classifier_sees() -> None:
    network = AdaptationNetwork(_features(), 4, num_classes=3, bottleneck=6)
    with classifier_input(network) as tap:
        logits = network(torch.randn(5, 3, 8, 7))
    assert logits.shape == (5, 3) and tap.features.shape == (5, 6)
    assert tap.features.min() == 0
    torch.testing.assert_close(logits, network.classifier(tap.features))


def test_without_a_bottleneck_the_classifier_sees_the_pooled_features() -> None:
    network = AdaptationNetwork(_features(), 4, num_classes=3, bottleneck=None)
    x = torch.randn(5, 3, 8, 7)
    torch.testing.assert_close(network(x), network.classifier(network.features(x).mean((2, 3))))


def test_features_that_are_pooled_already_are_left() -> None:
    network = AdaptationNetwork(nn.Flatten(), 12, num_classes=3, bottleneck=None)
    x = torch.randn(5, 3, 2, 2)
    torch.testing.assert_close(network(x), network.classifier(x.flatten(1)))


def test_every_parameter_is_in_the_backbone_or_in_the_head() -> None:
    network = AdaptationNetwork(_features(), 4, num_classes=3)
    wrapped = nn.Sequential(network, nn.PReLU())
    for model, extra in ((network, 0), (wrapped, 1)):
        backbone, head = split_parameters(model)
        assert {id(p) for p in backbone} == {id(p) for p in network.features.parameters()}
        assert {id(p) for p in backbone + head} == {id(p) for p in model.parameters()}
        assert len(backbone) == len(network.backbone_parameters()) == 4
        assert len(head) == len(network.head_parameters()) + extra


def test_without_a_backbone_everything_is_head() -> None:
    model = _features()
    backbone, head = split_parameters(model)
    assert not backbone and len(head) == len(list(model.parameters()))
