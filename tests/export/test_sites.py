import torch
from torch import Tensor

from export.graphs import PredictGraph, Scaling
from export.sites import find_sites
from rn_model import convert_reciprocal_norm
from tests.networks import SMALL, TinyNet, random_images, shake, wide_model


def test_sites_are_found_in_order_with_their_places() -> None:
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
    model = convert_reciprocal_norm(TwoNames()).eval()
    shake(model)
    scaling = Scaling(SMALL.preprocessing)
    image = torch.from_numpy(random_images(SMALL, 3))
    (site,) = find_sites(model, scaling(image))
    scale, shift = (v.view(site.broadcast_shape) for v in site.layer.scale_and_shift())
    found = PredictGraph(model, [site], scaling)(image, [scale], [shift])
    torch.testing.assert_close(found, model(scaling(image)))
