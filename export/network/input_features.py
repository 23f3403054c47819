"""Features of images that ``observe.onnx`` returns in addition to the moments."""

import torch
from torch import Tensor


def input_features(image: Tensor) -> Tensor:
    """Simple features ``(N, 4)`` float32 for detecting images that do not belong to the domain.

    In the order of :data:`bundle.interface.FEATURES`: mean and standard deviation over all pixels, and mean
    absolute difference of neighbouring pixels along the height and along the width, each in units of
    the full pixel range.

    Args:
        image: pixels ``(N, H, W, C)`` uint8.
    """
    x = image.float() / 255
    flat = x.flatten(1)
    mean = flat.mean(dim=1, keepdim=True)
    return torch.cat(
        [
            mean,
            (flat - mean).square().mean(dim=1, keepdim=True).sqrt(),
            (x[:, 1:] - x[:, :-1]).abs().flatten(1).mean(dim=1, keepdim=True),
            (x[:, :, 1:] - x[:, :, :-1]).abs().flatten(1).mean(dim=1, keepdim=True),
        ],
        dim=1,
    )
