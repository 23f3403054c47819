import pytest
import torch
from torch import Tensor, nn

from export import ExportError
from export.network.explicit_network import ExplicitNetwork
from export.network.pixel_scaling import PixelScaling
from export.network.sites import find_sites
from rn_model import convert_normalization
from tests.networks import SMALL, TinyNet, random_images, shake, wide_model


def test_sites_are_found_in_order_with_their_offsets() -> None:
    sites = find_sites(wide_model(), torch.zeros(2, 3, 8, 6))
    assert [(s.name, s.offset, s.rank, s.broadcast_shape) for s in sites] == [
        ("norm_grouped", 0, 4, (6, 1, 1)),
        ("norm_after_relu", 6, 4, (6, 1, 1)),
        ("norm_transposed", 12, 4, (5, 1, 1)),
        ("norm_forked", 17, 4, (5, 1, 1)),
        ("norm_first", 22, 4, (5, 1, 1)),
        ("norm_second", 27, 4, (5, 1, 1)),
        ("norm_unbiased", 32, 2, (7,)),
    ]


class TwoNames(TinyNet):
    def __init__(self) -> None:
        super().__init__()
        self.same = self.norm

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.same(self.conv(x)).relu().mean((2, 3)))
        return logits


def test_a_norm_of_two_names_is_one_site() -> None:
    model = convert_normalization(TwoNames()).eval()
    shake(model)
    scaling = PixelScaling(SMALL.preprocessing)
    image = torch.from_numpy(random_images(SMALL, 3))
    (site,) = find_sites(model, scaling(image))
    scale, shift = (v.view(site.broadcast_shape) for v in site.layer.scale_and_shift())
    found = ExplicitNetwork(model, [site], scaling)(image, [scale], [shift])
    torch.testing.assert_close(found, model(scaling(image)))


def refusal(model: nn.Module, x: Tensor) -> str:
    with pytest.raises(ExportError) as caught:
        find_sites(convert_normalization(model).eval(), x)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_rows_that_are_not_images_are_refused() -> None:
    rows = nn.Sequential(nn.Flatten(0, 1), nn.BatchNorm1d(5), nn.Unflatten(0, (2, 3)))
    message = refusal(rows, torch.zeros(2, 3, 5))
    assert message.startswith("normalization layer '1' takes 6 rows for 2 images")


def test_a_network_that_cannot_be_run_on_the_images_is_refused() -> None:
    message = refusal(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), torch.zeros(2, 1, 8, 6))
    assert message.startswith("the network cannot be run on images (2, 1, 8, 6): ")
    assert "to have 3 channels" in message


class Idle(TinyNet):
    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.conv(x).mean((2, 3)))
        return logits


def test_the_advice_for_a_norm_that_never_runs() -> None:
    message = refusal(Idle(), torch.zeros(2, 1, 8, 6))
    assert "'norm' runs 0 times in a forward pass; remove it from the network" in message
