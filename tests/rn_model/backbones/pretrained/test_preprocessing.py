import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ConvNextConfig

from rn_model.backbones import BackboneConfig
from rn_model.backbones.extractor import import_library
from rn_model.backbones.pretrained import published_preprocessing

timm = import_library("timm")
models = import_library("torchvision").models

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def image(width: int = 390, height: int = 260) -> Image.Image:
    """A smooth picture; resized to the sizes of these tests, its centre lies between two pixels."""
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def scaled(name: str, file: str = "mine.pth") -> torch.Tensor:
    """The image as the published preprocessing gives it to the network."""
    found = published_preprocessing(BackboneConfig(name=name, weights=Path(file)))
    assert found is not None
    pixels = torch.from_numpy(found.pixels(image()).astype(np.float32) / 255)
    return ((pixels - torch.tensor(found.mean)) / torch.tensor(found.std)).permute(2, 0, 1)


def test_timm_prepares_images_the_same() -> None:
    options = timm.data.resolve_data_config(model=timm.create_model("test_efficientnet"))
    expected = timm.data.create_transform(**options)(image())
    # Rounding to whole pixels, at most one apart.
    assert (scaled("timm:test_efficientnet") - expected).abs().max() < 1.5 / 255 / min(STD)


@pytest.mark.parametrize("number", [0, 1])
def test_torchvision_prepares_images_the_same(number: int) -> None:
    weights = list(models.get_model_weights("resnet50"))[number]
    expected = weights.transforms()(image())
    found = scaled("torchvision:resnet50", weights.url.rpartition("/")[2])
    assert (found - expected).abs().max() < 1.5 / 255 / min(STD)


def test_the_default_of_torchvision() -> None:
    found = published_preprocessing(BackboneConfig(name="torchvision:resnet50"))
    assert found is not None and (found.shorter_side, found.height) == (232, 224)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, (224, 224, 256)),
        ({"size": 384, "crop_pct": 0.875}, (384, 384, None)),
        (
            {
                "size": {"shortest_edge": 256},
                "do_center_crop": True,
                "crop_size": {"height": 224, "width": 192},
            },
            (224, 192, 256),
        ),
        ({"size": {"height": 64, "width": 48}}, (64, 48, None)),
        ({"size": {"shortest_edge": 256}}, None),
        ({"size": {"height": 64, "width": 48}, "do_normalize": False}, None),
    ],
)
def test_transformers(
    tmp_path: Path, values: dict[str, object], expected: tuple[int, int, int | None] | None
) -> None:
    ConvNextConfig().save_pretrained(tmp_path)
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps({"image_mean": MEAN, "image_std": STD, "resample": 3} | values))
    found = published_preprocessing(BackboneConfig(name=f"transformers:{tmp_path}"))
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.height, found.width, found.shorter_side) == expected
    assert (found.interpolation, found.mean) == ("bicubic", MEAN)


def test_nothing_is_known_of_other_networks(tmp_path: Path) -> None:
    for name in ("mine:Network", "digits:lenet", f"transformers:{tmp_path}"):
        assert published_preprocessing(BackboneConfig(name=name)) is None


@pytest.mark.parametrize("name", ["timm:resnet18x", "torchvision:resnet18x"])
def test_an_unknown_model_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"has no .*'resnet18x'; similar names: .*resnet18"):
        published_preprocessing(BackboneConfig(name=name))
