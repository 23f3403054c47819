"""Features of images that ``observe.onnx`` returns in addition to the moments."""

import torch
from torch import Tensor

# Pixels this near to black or white are taken for clipped.
CLIPPED = 0.02
# Side of the blocks of a JPEG file, and a distance at which smooth parts of an image still differ.
BLOCK, FAR = 8, 4
# Rows that are read of a large image: more say little more, and cost as much as a small network.
BAND, ROWS = 8, 32


def input_features(image: Tensor, free_size: bool = False) -> Tensor:
    """Simple features ``(N, F)`` float32, by which a change of the domain can be noticed.

    In the order of :data:`bundle.interface.FEATURES`, in units of the full pixel range: mean and standard
    deviation over all pixels; mean absolute difference of neighbouring pixels along the height and along
    the width; the same of second differences, which noise and blur change most; mean difference between
    the largest and the smallest colour; share of pixels that are nearly black or white; differences at
    the edges of JPEG blocks, relative to all; differences at a distance of four pixels; and root mean
    square of the differences along the width.

    Of images that are twice as high as ``ROWS`` or more, about ``ROWS`` rows are read, in bands of
    ``BAND`` neighbouring ones.

    Args:
        image: pixels ``(N, H, W, C)`` uint8.
        free_size: whether images may have any size; all rows are read then.
    """
    # Bands (N, B, R, W, C): differences along the height are those within a band.
    x = (image.unsqueeze(1) if free_size else _bands(image)).float() / 255
    grey = x.mean(dim=4)
    height, width = x[:, :, 1:] - x[:, :, :-1], x[:, :, :, 1:] - x[:, :, :, :-1]
    steps = (grey[..., 1:] - grey[..., :-1]).abs()
    return torch.stack(
        [
            _mean(x),
            _mean((x - _mean(x).view(-1, 1, 1, 1, 1)).square()).sqrt(),
            _mean(height.abs()),
            _mean(width.abs()),
            _mean(_second(grey.transpose(2, 3))),
            _mean(_second(grey)),
            _mean(x.amax(dim=4) - x.amin(dim=4)),
            _mean((torch.minimum(x, 1 - x) < CLIPPED).float()),
            _mean(steps[..., BLOCK - 1 :: BLOCK]) / (_mean(steps) + 1e-3),
            _mean((grey[..., FAR:] - grey[..., :-FAR]).abs()),
            _mean(width.square()).sqrt(),
        ],
        dim=1,
    )


def _bands(image: Tensor) -> Tensor:
    """Bands ``(N, B, R, W, C)`` of rows, evenly spaced; a small image is one band."""
    count, rows, width, colours = image.shape
    period = BAND * (rows // ROWS)
    if period < 2 * BAND:
        return image.unsqueeze(1)
    bands = rows // period
    whole = image[:, : bands * period].reshape(count, bands, period, width, colours)
    return whole[:, :, :BAND]


def _second(grey: Tensor) -> Tensor:
    """Absolute second differences along the last dimension."""
    return (grey[..., 2:] - 2 * grey[..., 1:-1] + grey[..., :-2]).abs()


def _mean(values: Tensor) -> Tensor:
    """Mean over all but the first dimension, ``(N,)``; 0 if the images are too small to have values."""
    if 0 in values.shape[1:]:
        return values.new_zeros(1).expand(len(values))
    return values.flatten(1).mean(dim=1)
