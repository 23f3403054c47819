"""Data augmentation: random views of training images."""

from typing import Annotated, Literal, Self

import kornia.augmentation as kornia
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from bundle.preprocessing import Preprocessing

Probability = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Augmentation(BaseModel):
    """Random changes to every training image of one domain; by default none.

    Attributes:
        crop: ``random`` crops the network's input size from an image that was read larger;
            ``resized`` crops a part of random size and resizes it to the input size.
        enlarge: factor by which images to be cropped are read larger than the network's input.
        crop_area: minimum and maximum share of the area that a resized crop keeps.
        crop_aspect: minimum and maximum aspect ratio (width to height) of a resized crop.
        flip: probability of a horizontal flip.
        rotation: maximum angle in degrees, in both directions.
        translation: maximum shift as a share of the side, in both directions.
        scale: maximum relative change of size, up or down.
        shear: maximum angle in degrees, in both directions.
        brightness: maximum relative change, up or down.
        contrast: maximum relative change, up or down.
        saturation: maximum relative change, up or down.
        hue: maximum change as a share of the colour circle, in both directions.
        gray: probability of a conversion to grey.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    crop: Literal["random", "resized"] | None = None
    enlarge: Annotated[float, Field(ge=1, le=4)] = 256 / 224
    crop_area: tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(gt=0, le=1)]] = (
        0.08,
        1.0,
    )
    crop_aspect: tuple[Positive, Positive] = (3 / 4, 4 / 3)
    flip: Probability = 0.0
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    translation: Probability = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0
    brightness: Strength = 0.0
    contrast: Strength = 0.0
    saturation: Strength = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    gray: Probability = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("crop_area", "crop_aspect"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be [minimum, maximum]")
        return self


class AugmentationConfig(BaseModel):
    """Augmentation of the source domain and of the target domain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Augmentation = Augmentation()
    target: Augmentation = Augmentation()


def load_preprocessing(config: Augmentation, preprocessing: Preprocessing) -> Preprocessing:
    """The preprocessing of training images: larger than the network's input if they are cropped."""
    if config.crop is None:
        return preprocessing
    height = round(preprocessing.height * config.enlarge)
    width = round(preprocessing.width * config.enlarge)
    shorter_side = preprocessing.shorter_side
    if shorter_side is not None:
        shorter_side = max(shorter_side, height, width)
    larger = {"height": height, "width": width, "shorter_side": shorter_side}
    return Preprocessing.model_validate({**preprocessing.model_dump(), **larger})


def make_augmentation(config: Augmentation, preprocessing: Preprocessing) -> nn.Module:
    """Make a module that turns images read with :func:`load_preprocessing` into random views.

    Random numbers come from torch's global CPU generator, so the views do not depend on the device.

    Shape:
        Input: floats from 0 to 1, ``(N, C, H', W')``.
        Output: floats from 0 to 1, ``(N, C, H, W)``, on the same device.

    Raises:
        ValueError: if colours are to be changed in grey images.
    """
    if preprocessing.channels != 3 and (config.saturation or config.hue or config.gray):
        raise ValueError("saturation, hue and gray need colour images: mode RGB, not L")
    views = [*_geometric(config, preprocessing), *_colour(config, preprocessing)]
    return nn.Sequential(*views)


def _geometric(config: Augmentation, preprocessing: Preprocessing) -> list[nn.Module]:
    size = preprocessing.height, preprocessing.width
    views: list[nn.Module] = []
    if config.rotation or config.translation or config.scale or config.shear:
        views.append(
            kornia.RandomAffine(
                degrees=config.rotation,
                translate=(config.translation, config.translation),
                scale=(1 - config.scale, 1 + config.scale),
                shear=config.shear,
                p=1.0,
            )
        )
    if config.crop == "random":
        views.append(kornia.RandomCrop(size))
    elif config.crop == "resized":
        views.append(
            kornia.RandomResizedCrop(
                size, scale=config.crop_area, ratio=config.crop_aspect, cropping_mode="resample"
            )
        )
    if config.flip:
        views.append(kornia.RandomHorizontalFlip(p=config.flip))
    return views


def _colour(config: Augmentation, preprocessing: Preprocessing) -> list[nn.Module]:
    views: list[nn.Module] = []
    if config.brightness or config.contrast or config.saturation or config.hue:
        views.append(
            kornia.ColorJitter(
                config.brightness, config.contrast, config.saturation, config.hue, p=1.0
            )
        )
    if config.gray:
        views.append(kornia.RandomGrayscale(p=config.gray))
    return views
