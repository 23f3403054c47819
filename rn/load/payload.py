"""Images to send: files that were given, or synthetic ones."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from rn.load.errors import LoadError
from rn.load.sending.request import Payload

NPY = "application/x-npy"
WIDTH, HEIGHT = 640, 480
# Few enough to be made at once, many enough that no cache answers.
SYNTHETIC = 8


def read_payloads(files: Sequence[Path]) -> list[Payload]:
    """One request per file; ``.npy`` files hold pixels ``(N, height, width, channels)``.

    Raises:
        LoadError: if a file cannot be read, or arrays hold different numbers of images.
    """
    payloads = []
    for path in files:
        try:
            content = path.read_bytes()
            if path.suffix == ".npy":
                images = len(np.load(path, mmap_mode="r", allow_pickle=False))
                payloads.append(Payload(content, NPY, images))
            else:
                payloads.append(Payload(content, "application/octet-stream"))
        except (OSError, ValueError, TypeError) as error:
            raise LoadError(f"{path} cannot be read: {error}") from error
    if len({payload.images for payload in payloads}) > 1:
        raise LoadError("all files must hold the same number of images")
    return payloads


def jpeg_payloads(count: int = SYNTHETIC, seed: int = 0) -> list[Payload]:
    """Synthetic photographs of 640x480 pixels as JPEG files of about 60 kB."""
    generator = np.random.default_rng(seed)
    return [Payload(_jpeg(generator), "image/jpeg") for _ in range(count)]


def npy_payloads(
    shape: tuple[int, int, int], images: int = 1, count: int = SYNTHETIC, seed: int = 0
) -> list[Payload]:
    """Random pixels ``(images, height, width, channels)`` as ``.npy`` files."""
    generator = np.random.default_rng(seed)
    payloads = []
    for _ in range(count):
        pixels = generator.integers(0, 256, (images, *shape), dtype=np.uint8)
        payloads.append(Payload(npy_bytes(pixels), NPY, images))
    return payloads


def npy_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels ``(N, height, width, channels)`` as an ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, pixels)
    return file.getvalue()


def _jpeg(generator: np.random.Generator) -> bytes:
    """Smooth shapes with some noise, which compress about as photographs do."""
    coarse = generator.integers(0, 256, (HEIGHT // 32, WIDTH // 32, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    edges = generator.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    detail = Image.fromarray(edges).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)
    picture = Image.blend(smooth, detail, 0.25).filter(ImageFilter.GaussianBlur(1))
    noise = generator.normal(0, 4, (HEIGHT, WIDTH, 3))
    pixels = np.clip(np.asarray(picture, np.float64) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()
