"""The preprocessing contract: how an image file becomes the input of the graphs.

Training, evaluation and serving call the same function. Pixels are not scaled here: the graphs take the
uint8 array and scale it themselves.
"""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bundle.images.decoding import MAX_PIXELS, decode_image
from bundle.images.pixels import displayed

Pixels = NDArray[np.uint8]

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_CHANNELS = {"L": 1, "RGB": 3}

Size = Annotated[int, Field(ge=1, le=8192)]
Decoding = Literal["full", "scaled"]

# A scaled JPEG keeps this many pixels for one of the resized image: at 1 the pixels that result are
# several levels off on average, at 2 about one.
OVERSAMPLING = 2


class Preprocessing(BaseModel):
    """Steps from a decoded image to pixels ``(height, width, channels)`` uint8.

    The steps are pixels as a viewer shows them (8 bits, transparency over white, EXIF orientation) in the
    colour mode, resize, and centre crop. The graphs then compute
    ``(pixels / 255 - mean) / std`` per channel.

    Attributes:
        mode: ``"L"`` for one channel of luminance, ``"RGB"`` for three.
        height, width: size of the result in pixels.
        shorter_side: None to stretch the whole image to the size of the result. Otherwise the image is
            first resized, keeping its aspect ratio, so that its shorter side has this length in pixels;
            then the centre is cropped.
        interpolation: filter of the resize, antialiased when shrinking.
        decoding: ``"scaled"`` to decode a large JPEG at a half, a quarter or an eighth of its size,
            which takes a fraction of the time. The smaller image keeps at least twice as many pixels
            along each side as ``shorter_side``, or else as the longer of ``height`` and ``width``.
        mean, std: mean and standard deviation per channel, in units of the full pixel range (0 to 1).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mode: Literal["L", "RGB"]
    height: Size
    width: Size
    shorter_side: Size | None = None
    interpolation: Literal["nearest", "box", "bilinear", "bicubic"] = "bilinear"
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]
    # Left out of files where it has no effect, because readers of earlier versions do not know it.
    decoding: Annotated[Decoding, Field(exclude_if=lambda decoding: decoding == "full")] = "full"

    @model_validator(mode="after")
    def _check(self) -> "Preprocessing":
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mode {self.mode} needs {self.channels} values in mean and in std")
        if self.shorter_side is not None and self.shorter_side < max(self.height, self.width):
            raise ValueError("shorter_side must not be less than height or width")
        if self.decoding == "scaled" and self.interpolation == "nearest":
            raise ValueError("decoding scaled needs another interpolation than nearest")
        return self

    @property
    def channels(self) -> int:
        """Number of colour channels."""
        return _CHANNELS[self.mode]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)``."""
        return self.height, self.width, self.channels

    def read(self, content: bytes, max_pixels: int = MAX_PIXELS) -> Pixels:
        """Decode an image file and apply the contract; the same in training, export and service.

        Args:
            content: content of the file.
            max_pixels: maximum number of pixels of the file.

        Returns:
            Pixels ``(height, width, channels)`` uint8.

        Raises:
            ImageError: if the image is not supported, damaged or too large; the message continues a
                sentence that begins with its name.
        """
        return self.pixels(decode_image(content, max_pixels, self._kept_side))

    def pixels(self, image: Image.Image) -> Pixels:
        """Apply the contract to one decoded image.

        Returns:
            Pixels ``(height, width, channels)`` uint8.

        Raises:
            UnsupportedImage: if the kind of its pixels is not supported.
            OSError: if the image data is truncated or corrupt.
        """
        image = displayed(image, self.mode)
        method = _FILTERS[self.interpolation]
        box = None if self.shorter_side is None else self._centre(image.size, self.shorter_side)
        resized = image.resize((self.width, self.height), method, box)
        return np.asarray(resized, dtype=np.uint8).reshape(self.shape)

    @property
    def _kept_side(self) -> int | None:
        """Pixels along each side that decoding keeps; None to keep all."""
        if self.decoding == "full":
            return None
        return OVERSAMPLING * (self.shorter_side or max(self.height, self.width))

    def _centre(
        self, size: tuple[int, int], shorter_side: int
    ) -> tuple[float, float, float, float]:
        """Box of the original image that the result of resizing and cropping shows.

        Only this box is resized: a whole long and narrow image, resized, would fill the memory.
        """
        begins, ends = [], []
        for old, kept in zip(size, (self.width, self.height), strict=True):
            resized = max(shorter_side, round(old * shorter_side / min(size)))
            begin = (resized - kept) // 2
            begins.append(begin * old / resized)
            ends.append((begin + kept) * old / resized)
        return begins[0], begins[1], ends[0], ends[1]
