"""Sample images of both domains, and target images with their predictions, embedded in the page."""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from PIL import Image

from rn_model.report.run_files import Arrays

MAX_BYTES = 400_000
_MAX_SIDE = 256
_LOSSLESS_SIDE = 48
# In the order of rn_model.training.records.pictures.GROUPS.
_TITLES = (
    "Source images, with their labels",
    "Target images, with predictions",
    "Most confident predictions, of different classes first",
    "Least certain predictions",
)


class Picture(NamedTuple):
    """An image of the page: its address, its caption, and whether the prediction is known to be wrong."""

    url: Markup
    caption: str
    wrong: bool


class Group(NamedTuple):
    """Pictures under one title."""

    title: str
    pictures: tuple[Picture, ...]


def picture_groups(arrays: Arrays, names: Sequence[str]) -> list[Group]:
    """Embed the images that a run saved for its report; at most :data:`MAX_BYTES` in all.

    Raises:
        ValueError: if the arrays are invalid or inconsistent.
    """
    if "picture" not in arrays:
        return []
    images, group = arrays["picture"], arrays["picture_group"]
    true, predicted = arrays["picture_true"], arrays["picture_predicted"]
    confidence = arrays["picture_confidence"]
    if images.ndim != 4 or images.dtype != np.uint8 or max(images.shape[1:3]) > _MAX_SIDE:
        raise ValueError(f"picture must be uint8 (P, H, W, C) of at most {_MAX_SIDE} pixels")
    if len({len(column) for column in (images, group, true, predicted, confidence)}) > 1:
        raise ValueError("the arrays of pictures differ in length")
    if len(group) and not 0 <= group.min() <= group.max() < len(_TITLES):
        raise ValueError(f"picture_group must be 0 to {len(_TITLES) - 1}")
    left = MAX_BYTES
    found: list[list[Picture]] = [[] for _ in _TITLES]
    for number, image in enumerate(images):
        url = _url(image)
        left -= len(url)
        if left < 0:
            break
        caption = _name(true[number], names)
        wrong = False
        if predicted[number] >= 0:
            wrong = bool(true[number] >= 0 and true[number] != predicted[number])
            caption = f"{_name(predicted[number], names)} {confidence[number]:.0%}"
            caption += f", is {_name(true[number], names)}" if wrong else ""
        found[group[number]].append(Picture(url, caption, wrong))
    return [Group(title, tuple(own)) for title, own in zip(_TITLES, found, strict=True) if own]


def _name(number: int, names: Sequence[str]) -> str:
    return names[number] if 0 <= number < len(names) else "" if number < 0 else str(number)


def _url(image: "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]") -> Markup:
    lossless = max(image.shape[:2]) <= _LOSSLESS_SIDE
    buffer = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.save(buffer, "PNG" if lossless else "JPEG", quality=82)
    kind = "png" if lossless else "jpeg"
    return Markup(f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}")
