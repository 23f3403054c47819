"""The preprocessing contract: how an image file becomes the array that every graph takes.

One function serves training, evaluation and serving. Scaling of pixels is not done here but inside the
graphs, which take the uint8 array.
"""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict, Field, model_validator

Pixels = NDArray[np.uint8]

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_CHANNELS = {"L": 1, "RGB": 3}

Size = Annotated[int, Field(ge=1, le=8192)]


class Preprocessing(BaseModel):
    """From a decoded image to pixels ``(height, width, channels)``, uint8.

    Steps: EXIF orientation, colour mode, resize, centre crop. The graphs then compute
    ``(pixels / 255 - mean) / std`` per channel.

    Attributes:
        mode: ``"L"`` for one channel of luminance, ``"RGB"`` for three.
        height, width: size of the result in pixels.
        shorter_side: None stretches the whole image to the result's size; a number first resizes
            the image, aspect kept, to this shorter side, and then cuts the centre out.
        interpolation: filter of the resize; it is antialiased when shrinking.
        mean, std: per channel, in units of the full pixel range (0 to 1).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mode: Literal["L", "RGB"]
    height: Size
    width: Size
    shorter_side: Size | None = None
    interpolation: Literal["nearest", "box", "bilinear", "bicubic"] = "bilinear"
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _check(self) -> "Preprocessing":
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mode {self.mode} needs {self.channels} values in mean and in std")
        if self.shorter_side is not None and self.shorter_side < max(self.height, self.width):
            raise ValueError("shorter_side must not be less than height or width")
        return self

    @property
    def channels(self) -> int:
        """Number of colour channels."""
        return _CHANNELS[self.mode]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)``."""
        return self.height, self.width, self.channels

    def pixels(self, image: Image.Image) -> Pixels:
        """Apply the contract to one decoded image.

        Raises:
            OSError: if the image's data is truncated or broken.
        """
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            # Pillow clips 16-bit values to 255 when it converts; the high byte is what is meant.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        image = image.convert(self.mode)
        method = _FILTERS[self.interpolation]
        box = None if self.shorter_side is None else self._centre(image.size, self.shorter_side)
        resized = image.resize((self.width, self.height), method, box)
        return np.asarray(resized, dtype=np.uint8).reshape(self.shape)

    def _centre(
        self, size: tuple[int, int], shorter_side: int
    ) -> tuple[float, float, float, float]:
        """The part of an image that the result shows if it is resized and then cropped.

        Only this part is resized: all of a long and narrow image would fill the memory.
        """
        begins, ends = [], []
        for old, kept in zip(size, (self.width, self.height), strict=True):
            resized = max(shorter_side, round(old * shorter_side / min(size)))
            begin = (resized - kept) // 2
            begins.append(begin * old / resized)
            ends.append((begin + kept) * old / resized)
        return begins[0], begins[1], ends[0], ends[1]
