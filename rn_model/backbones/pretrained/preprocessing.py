"""How the libraries of models prepare images for their pretrained networks."""

import json
from math import floor
from pathlib import Path
from typing import Any

from bundle.preprocessing import Preprocessing
from rn_model.backbones.config import BackboneConfig
from rn_model.backbones.extractor import import_library
from rn_model.backbones.timm_models import check_timm_name
from rn_model.backbones.torchvision_models import check_torchvision_name

_FILTERS = ("nearest", "box", "bilinear", "bicubic")
# Filters of Pillow by number, as transformers saves them.
_NUMBERS = {0: "nearest", 2: "bilinear", 3: "bicubic", 4: "box"}


def published_preprocessing(config: BackboneConfig) -> Preprocessing | None:
    """The preprocessing of the weights that a network's library publishes, in evaluation.

    Weights that someone trained further are usually prepared in the same way, but nothing guarantees it.

    Returns:
        The preprocessing; None if the library does not say it, or it cannot be expressed.

    Raises:
        ValueError: if the library is missing, or has no such model.
    """
    if config.library == "timm":
        return _of_timm(config.model)
    if config.library == "torchvision":
        return _of_torchvision(config.model, config.weights_file)
    if config.library == "transformers":
        return _of_transformers(Path(config.model) / "preprocessor_config.json")
    return None


def _of_timm(name: str) -> Preprocessing | None:
    timm = import_library("timm")
    check_timm_name(name)
    found = timm.get_pretrained_cfg(name)
    if found is None:
        return None
    values = timm.data.resolve_data_config(pretrained_cfg=found.to_dict())
    channels, height, width = values["input_size"]
    modes = {"center": floor(min(height, width) / values["crop_pct"]), "squash": None}
    if channels != 3 or values["crop_mode"] not in modes:
        return None
    shorter = modes[values["crop_mode"]]
    return _rgb((height, width), shorter, values["interpolation"], values["mean"], values["std"])


def _of_torchvision(name: str, file: Path | None) -> Preprocessing | None:
    models = import_library("torchvision").models
    check_torchvision_name(name)
    weights = list(models.get_model_weights(name))
    if not weights:
        return None
    # Several weights of one network may be published; their files have different names.
    named = [item for item in weights if file and item.url.endswith(f"/{file.name}")]
    values = (named[0] if named else models.get_model_weights(name).DEFAULT).transforms()
    side, shorter = values.crop_size[0], values.resize_size[0]
    return _rgb((side, side), shorter, values.interpolation.value, values.mean, values.std)


def _of_transformers(file: Path) -> Preprocessing | None:
    try:
        values = json.loads(file.read_text())
        size, crop = values["size"], values.get("crop_size")
        if not values.get("do_normalize", True) or not values.get("do_resize", True):
            return None
        shape, shorter = _crop(size, crop if values.get("do_center_crop") else None, values)
        method = _NUMBERS[values.get("resample", 2)]
        return _rgb(shape, shorter, method, values["image_mean"], values["image_std"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _crop(size: Any, crop: Any, values: dict[str, Any]) -> tuple[tuple[int, int], int | None]:
    """Height and width of the result, and the shorter side of the image before it is cropped."""
    shortest = size if isinstance(size, int) else size.get("shortest_edge")
    if shortest is not None and "crop_pct" in values:
        # ConvNeXt, and ResNet: large images are squashed.
        shorter = None if shortest >= 384 else int(shortest / values["crop_pct"])
        return (shortest, shortest), shorter
    if shortest is not None and crop is not None:
        side = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
        return side, shortest
    if shortest is None and crop is None:
        return (size["height"], size["width"]), None
    raise ValueError("another kind of crop")


def _rgb(
    size: tuple[int, int], shorter: int | None, method: str, mean: Any, std: Any
) -> Preprocessing | None:
    if method not in _FILTERS:
        return None
    return Preprocessing.model_validate(
        {
            "mode": "RGB",
            "height": size[0],
            "width": size[1],
            "shorter_side": shorter,
            "interpolation": method,
            "mean": tuple(mean),
            "std": tuple(std),
        }
    )
