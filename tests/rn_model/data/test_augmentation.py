import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from bundle.preprocessing import Preprocessing
from rn_model.data import Augmentation, AugmentationConfig, load_preprocessing, make_augmentation
from tests.rn_model.data.pictures import COLOUR, SMALL

EVERYTHING = Augmentation(
    crop="resized",
    flip=0.5,
    rotation=10,
    translation=0.1,
    scale=0.1,
    shear=5,
    brightness=0.3,
    contrast=0.3,
    saturation=0.3,
    hue=0.1,
    gray=0.3,
)


def _read(config: Augmentation, contract: Preprocessing, count: int = 16) -> Tensor:
    read = load_preprocessing(config, contract)
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, read.channels, read.height, read.width, generator=generator)


@settings(max_examples=20)
@given(
    st.builds(
        Augmentation,
        crop=st.sampled_from([None, "random", "resized"]),
        flip=st.sampled_from([0.0, 0.5]),
        rotation=st.sampled_from([0.0, 20.0]),
        scale=st.sampled_from([0.0, 0.2]),
        brightness=st.sampled_from([0.0, 0.5]),
        contrast=st.sampled_from([0.0, 0.5]),
    ),
    st.sampled_from([SMALL, COLOUR]),
)
def test_views_have_the_networks_shape_and_range(
    config: Augmentation, contract: Preprocessing
) -> None:
    views = make_augmentation(config, contract)(_read(config, contract))
    assert views.shape == (16, contract.channels, contract.height, contract.width)
    assert views.dtype == torch.float32
    assert 0 <= views.min() <= views.max() <= 1 + 1e-6


def test_the_default_does_nothing() -> None:
    x = _read(Augmentation(), COLOUR)
    assert torch.equal(make_augmentation(AugmentationConfig().source, COLOUR)(x), x)
    assert load_preprocessing(Augmentation(), COLOUR) == COLOUR


def test_the_global_seed_decides() -> None:
    x = _read(EVERYTHING, COLOUR)
    views = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        views.append(make_augmentation(EVERYTHING, COLOUR)(x))
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])
    assert not torch.equal(views[0][0], views[0][1])


def test_a_flip_swaps_left_and_right() -> None:
    x = _read(Augmentation(), COLOUR)
    assert torch.equal(make_augmentation(Augmentation(flip=1), COLOUR)(x), x.flip(3))


def test_a_random_crop_is_a_part_of_the_larger_image() -> None:
    config = Augmentation(crop="random", enlarge=1.5)
    x = _read(config, COLOUR)
    assert x.shape[2:] == (12, 12)
    views = make_augmentation(config, COLOUR)(x)
    parts = x.unfold(2, 8, 1).unfold(3, 8, 1).permute(0, 2, 3, 1, 4, 5)
    places = [
        (parts[image] - views[image]).abs().amax((2, 3, 4)).argmin().item() for image in range(16)
    ]
    for image, place in enumerate(places):
        part = parts[image].flatten(0, 1)[int(place)]
        torch.testing.assert_close(views[image], part, atol=1e-5, rtol=0)
    assert len(set(places)) > 3


def test_gray_takes_colour_away() -> None:
    views = make_augmentation(Augmentation(gray=1), COLOUR)(_read(Augmentation(), COLOUR))
    torch.testing.assert_close(views[:, 0], views[:, 1])
    torch.testing.assert_close(views[:, 0], views[:, 2])


def test_brightness_changes_within_its_bounds() -> None:
    x = torch.full((200, 3, 8, 8), 0.5)
    views = make_augmentation(Augmentation(brightness=0.2), COLOUR)(x)
    factors = views.mean((1, 2, 3)) / 0.5
    assert 0.8 - 1e-5 <= factors.min() < 0.85
    assert 1.15 < factors.max() <= 1.2 + 1e-5


def test_a_rotation_turns_by_no_more_than_its_bound() -> None:
    contract = COLOUR.model_copy(update={"height": 33, "width": 33})
    x = torch.zeros(100, 3, 33, 33)
    x[:, :, 16, 17:] = 1  # a hand that points to the right
    views = make_augmentation(Augmentation(rotation=30), contract)(x)[:, 0]
    rows, columns = torch.meshgrid(torch.arange(33.0) - 16, torch.arange(33.0) - 16, indexing="ij")
    mass = views.sum((1, 2))
    angle = torch.atan2((views * rows).sum((1, 2)) / mass, (views * columns).sum((1, 2)) / mass)
    degrees = angle * 180 / math.pi
    assert degrees.abs().max() <= 31
    assert degrees.max() > 20
    assert degrees.min() < -20


def test_cropped_images_are_read_larger() -> None:
    crop = Augmentation(crop="random", enlarge=1.5)
    assert load_preprocessing(crop, COLOUR).shape == (12, 12, 3)
    cut = COLOUR.model_copy(update={"shorter_side": 10})
    read = load_preprocessing(crop, cut)
    assert (read.height, read.width, read.shorter_side) == (12, 12, 12)
    roomy = COLOUR.model_copy(update={"shorter_side": 20})
    read = load_preprocessing(crop, roomy)
    assert (read.height, read.width, read.shorter_side) == (12, 12, 20)


@pytest.mark.parametrize("name", ["saturation", "hue", "gray"])
def test_colour_changes_of_grey_images_are_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="need colour images"):
        make_augmentation(Augmentation.model_validate({name: 0.1}), SMALL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"flip": 1.5},
        {"enlarge": 0.5},
        {"crop": "middle"},
        {"crop_area": (0.5, 0.1)},
        {"crop_aspect": (2.0, 1.0)},
        {"rotation": -1},
        {"blur": 1},
    ],
)
def test_invalid_settings_are_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Augmentation.model_validate(wrong)
