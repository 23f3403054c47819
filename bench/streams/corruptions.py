"""Fifteen corruptions of images, after the kinds of Hendrycks and Dietterich (arXiv:1903.12261).

Written anew for images of about 32x32 pixels, so their figures are not those of the published data sets.
Each takes pixels ``(N, H, W, C)`` uint8 and a severity of 1 to 5, and is the same for the same seed.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from bundle.preprocessing import Pixels

Values = NDArray[np.float64]
Corruption = Callable[[Values, int, Generator], Values]


def corrupt(name: str, pixels: Pixels, severity: int = 5, seed: int = 0) -> Pixels:
    """Corrupt images ``(N, H, W, C)``; ``"clean"`` leaves them as they are."""
    if name == "clean":
        return pixels
    generator = np.random.default_rng([seed, severity, *name.encode()])
    values = CORRUPTIONS[name](pixels / 255.0, severity - 1, generator)
    found: Pixels = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    return found


def _gaussian_noise(x: Values, s: int, generator: Generator) -> Values:
    return x + generator.normal(0, (0.04, 0.06, 0.08, 0.09, 0.10)[s], x.shape)


def _shot_noise(x: Values, s: int, generator: Generator) -> Values:
    rate = (500, 250, 100, 75, 50)[s]
    found: Values = generator.poisson(x * rate) / rate
    return found


def _impulse_noise(x: Values, s: int, generator: Generator) -> Values:
    hit = generator.random(x.shape) < (0.01, 0.02, 0.03, 0.05, 0.07)[s]
    found: Values = np.where(hit, generator.integers(0, 2, x.shape), x)
    return found


def _defocus_blur(x: Values, s: int, _: Generator) -> Values:
    radius = (0.8, 1.1, 1.4, 1.7, 2.1)[s]
    grid = np.arange(-3, 4)
    # A soft edge: on so few pixels a sharp one would jump from radius to radius.
    disk: Values = np.clip(radius + 0.5 - np.hypot(grid[:, None], grid), 0, 1)
    return _filtered(x, disk)


def _glass_blur(x: Values, s: int, generator: Generator) -> Values:
    sigma = (0.2, 0.25, 0.3, 0.4, 0.5)[s]
    moved = generator.random(x.shape[:3]) < (0.2, 0.35, 0.5, 0.7, 0.9)[s]
    moves = moved * generator.integers(-1, 2, (2, *x.shape[:3]))
    number, row, column = np.ogrid[: x.shape[0], : x.shape[1], : x.shape[2]]
    rows = np.clip(row + moves[0], 0, x.shape[1] - 1)
    columns = np.clip(column + moves[1], 0, x.shape[2] - 1)
    return _smooth(x[number, rows, columns], sigma)


def _motion_blur(x: Values, s: int, generator: Generator) -> Values:
    length = (3, 4, 5, 6, 7)[s]
    kernel: Values = np.zeros((7, 7))
    angle = generator.uniform(0, np.pi)
    for step in np.linspace(-(length - 1) / 2, (length - 1) / 2, 4 * length):
        kernel[round(3 + step * np.sin(angle)), round(3 + step * np.cos(angle))] += 1
    return _filtered(x, kernel)


def _zoom_blur(x: Values, s: int, _: Generator) -> Values:
    largest = (1.06, 1.11, 1.16, 1.21, 1.26)[s]
    zoomed = [_zoom(x, factor) for factor in np.linspace(1, largest, 6)]
    found: Values = np.mean(zoomed, axis=0)
    return found


def _snow(x: Values, s: int, generator: Generator) -> Values:
    amount = (0.004, 0.008, 0.012, 0.018, 0.025)[s]
    flakes: Values = (generator.random(x.shape[:3]) < amount).astype(np.float64)
    streaks = _filtered(flakes[..., None], np.eye(5))[..., 0] * 5
    grey = x.mean(axis=3, keepdims=True)
    paler = 0.85 * x + 0.15 * np.maximum(x, 0.6 * grey + 0.4)
    found: Values = paler + 0.7 * np.clip(streaks, 0, 1)[..., None]
    return found


def _frost(x: Values, s: int, generator: Generator) -> Values:
    cover = (0.2, 0.3, 0.4, 0.45, 0.5)[s]
    ice = _clouds(x, generator, 1.2) ** 2
    return (1 - 0.6 * cover) * x + 1.3 * cover * ice


def _fog(x: Values, s: int, generator: Generator) -> Values:
    strength = (0.3, 0.6, 1.0, 1.4, 2.0)[s]
    return (x + strength * (0.3 + 0.7 * _clouds(x, generator, 2.0))) / (1 + strength)


def _brightness(x: Values, s: int, _: Generator) -> Values:
    return x + (0.05, 0.12, 0.2, 0.28, 0.36)[s]


def _contrast(x: Values, s: int, _: Generator) -> Values:
    mean = x.mean(axis=(1, 2), keepdims=True)
    found: Values = (x - mean) * (0.75, 0.5, 0.35, 0.22, 0.14)[s] + mean
    return found


def _elastic(x: Values, s: int, generator: Generator) -> Values:
    strength = (1.0, 1.4, 1.8, 2.1, 2.4)[s]
    found = np.empty_like(x)
    base = np.meshgrid(*(np.arange(side) for side in x.shape[1:3]), indexing="ij")
    for number, image in enumerate(x):
        moves = [_smooth_field(generator, image.shape[:2]) * strength for _ in range(2)]
        places = [grid + move for grid, move in zip(base, moves, strict=True)]
        for channel in range(image.shape[2]):
            found[number, ..., channel] = ndimage.map_coordinates(
                image[..., channel], places, order=1, mode="reflect"
            )
    return found


def _pixelate(x: Values, s: int, _: Generator) -> Values:
    share = (0.9, 0.8, 0.65, 0.55, 0.45)[s]
    size = (x.shape[2], x.shape[1])
    small = (round(share * size[0]), round(share * size[1]))
    return _each(
        x,
        lambda image: image.resize(small, Image.Resampling.BOX).resize(
            size, Image.Resampling.NEAREST
        ),
    )


def _jpeg(x: Values, s: int, _: Generator) -> Values:
    quality = (60, 40, 28, 20, 14)[s]

    def compress(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _each(x, compress)


# In the order in which papers on continual adaptation show them.
CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian noise": _gaussian_noise,
    "shot noise": _shot_noise,
    "impulse noise": _impulse_noise,
    "defocus blur": _defocus_blur,
    "glass blur": _glass_blur,
    "motion blur": _motion_blur,
    "zoom blur": _zoom_blur,
    "snow": _snow,
    "frost": _frost,
    "fog": _fog,
    "brightness": _brightness,
    "contrast": _contrast,
    "elastic": _elastic,
    "pixelate": _pixelate,
    "jpeg": _jpeg,
}


def _filtered(x: Values, kernel: NDArray[Any]) -> Values:
    weights = (kernel / kernel.sum())[None, :, :, None]
    found: Values = ndimage.convolve(x, weights, mode="reflect")
    return found


def _smooth(x: Values, sigma: float) -> Values:
    found: Values = ndimage.gaussian_filter(x, (0, sigma, sigma, 0), mode="reflect")
    return found


def _smooth_field(generator: Generator, shape: tuple[int, ...]) -> Values:
    field: Values = ndimage.gaussian_filter(generator.normal(size=shape), 3, mode="reflect")
    scaled: Values = field / field.std()
    return scaled


def _zoom(x: Values, factor: float) -> Values:
    """Enlarge about the centre, at the same size."""
    middle = (np.array(x.shape[1:3]) - 1) / 2
    scale = np.array([1, 1 / factor, 1 / factor, 1])
    offset = np.array([0, *(middle - middle / factor), 0])
    found: Values = ndimage.affine_transform(x, scale, offset, order=1, mode="nearest")
    return found


def _clouds(x: Values, generator: Generator, roughness: float) -> Values:
    """Noise in the range 0 to 1 whose power falls with its frequency, ``(N, H, W, 1)``."""
    rows, columns = (np.fft.fftfreq(side)[:, None] for side in x.shape[1:3])
    frequency = np.sqrt(rows**2 + columns.T**2)
    frequency[0, 0] = np.inf
    spectrum = np.fft.fft2(generator.normal(size=x.shape[:3])) / frequency**roughness
    clouds = np.fft.ifft2(spectrum).real
    low, high = (edge(clouds, axis=(1, 2), keepdims=True) for edge in (np.min, np.max))
    found: Values = ((clouds - low) / (high - low))[..., None]
    return found


def _each(x: Values, change: Callable[[Image.Image], Image.Image]) -> Values:
    pixels = np.clip(np.rint(x * 255), 0, 255).astype(np.uint8)
    squeezed = pixels[..., 0] if x.shape[3] == 1 else pixels
    changed = np.stack([np.asarray(change(Image.fromarray(image))) for image in squeezed])
    found: Values = changed.reshape(x.shape) / 255
    return found
