"""Random affine views of batches."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class AffineBounds:
    """Bounds of a random affine map; every image draws uniformly within plus and minus each.

    Attributes:
        rotation: in radians.
        scale: relative change of size.
        shear: horizontal shift per unit of height.
        shift: in units of half the image's side.
    """

    rotation: float = 0.2
    scale: float = 0.15
    shear: float = 0.2
    shift: float = 0.15

    def times(self, factor: float) -> "AffineBounds":
        """All bounds multiplied."""
        return AffineBounds(
            self.rotation * factor, self.scale * factor, self.shear * factor, self.shift * factor
        )


def random_affine(x: Tensor, bounds: AffineBounds, generator: torch.Generator) -> Tensor:
    """Map every image of a batch by its own random affine map; what comes from outside is 0.

    Shape:
        ``(N, C, H, W)``, kept.
    """
    rotation, scale, shear, shift_x, shift_y = torch.rand(5, len(x), generator=generator) * 2 - 1
    angle = rotation * bounds.rotation
    size = 1 + scale * bounds.scale
    matrix = torch.stack(
        [
            torch.stack([size * angle.cos(), shear * bounds.shear - angle.sin()], dim=1),
            torch.stack([angle.sin(), size * angle.cos()], dim=1),
        ],
        dim=1,
    )
    shift = torch.stack([shift_x, shift_y], dim=1) * bounds.shift
    theta = torch.cat([matrix, shift.unsqueeze(2)], dim=2).to(x.device)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)
