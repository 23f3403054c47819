import pytest
import torch
from torch import nn

from rn_model.backbones.input_channels import adapt_input, adapt_kernel, first_convolution


def test_a_grey_image_gives_what_it_gave_in_colour() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1, dilation=2), nn.ReLU())
    grey = torch.randn(2, 1, 9, 8)
    expected = model(grey.expand(-1, 3, -1, -1))
    adapt_input(model, 1)
    torch.testing.assert_close(model(grey), expected)


def test_equal_channels_give_what_three_of_them_gave() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False))
    grey = torch.randn(2, 1, 9, 8)
    expected = model(grey.expand(-1, 3, -1, -1))
    adapt_input(model, 6)
    torch.testing.assert_close(model(grey.expand(-1, 6, -1, -1)), expected)
    assert adapt_kernel(torch.randn(4, 3, 3, 3), 5).shape == (4, 5, 3, 3)


def test_what_already_fits_is_left() -> None:
    model = nn.Sequential(nn.Conv2d(5, 4, 3))
    layer = model[0]
    adapt_input(model, 5)
    assert model[0] is layer
    weight = torch.randn(4, 5, 3, 3)
    assert adapt_kernel(weight, 1) is weight


@pytest.mark.parametrize("model", [nn.Sequential(nn.Conv2d(4, 2, 3)), nn.Sequential(nn.ReLU())])
def test_a_network_that_cannot_be_fitted_is_an_error(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="cannot be adapted to 1 channels"):
        adapt_input(model, 1)


def test_the_first_convolution_has_a_name() -> None:
    first = nn.Conv2d(3, 1, 1)
    model = nn.Sequential(nn.Identity(), nn.Sequential(first, nn.Conv2d(1, 1, 1)))
    assert first_convolution(model) == ("1.0", first)
    assert first_convolution(nn.Linear(2, 2)) == ("", None)
