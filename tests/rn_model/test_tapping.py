import pytest
import torch
from torch import nn

from rn_model.tapping import classifier_input, final_linear


def test_the_tap_holds_what_enters_the_last_linear_layer() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(5, 3)
    with classifier_input(model) as tap:
        model(x)
    torch.testing.assert_close(tap.features, model[:2](x))
    assert tap.features.requires_grad


def test_no_hook_stays_behind() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    with classifier_input(model) as tap:
        pass
    model(torch.randn(1, 3))
    assert tap.features.numel() == 0


def test_a_network_without_linear_layer_is_an_error() -> None:
    with pytest.raises(ValueError, match="no linear layer"):
        final_linear(nn.Sequential(nn.Conv2d(1, 1, 1)))
