import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from PIL import Image
from pydantic import ValidationError

from bundle import Pixels, Preprocessing
from bundle.images.decoding import decode_image
from bundle.images.pixels import upright


def contract(mode: str = "RGB", height: int = 2, width: int = 3, **more: object) -> Preprocessing:
    channels = 1 if mode == "L" else 3
    fields = {"mean": [0.0] * channels, "std": [1.0] * channels, **more}
    return Preprocessing.model_validate({"mode": mode, "height": height, "width": width, **fields})


RAMP = np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3)


def assert_pixels(found: Pixels, expected: ArrayLike) -> None:
    assert found.dtype == np.uint8 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, np.asarray(expected, np.uint8))


def through_file(image: Image.Image, kind: str, **options: object) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Image.open(buffer)


def test_an_image_that_already_fits_is_not_touched() -> None:
    assert_pixels(contract("L").pixels(Image.fromarray(RAMP)), RAMP[..., None])
    colour = np.stack([RAMP, RAMP + 1, RAMP + 2], axis=-1)
    assert_pixels(contract("RGB").pixels(Image.fromarray(colour)), colour)


def test_grey_becomes_colour_and_colour_luminance() -> None:
    assert_pixels(contract("RGB").pixels(Image.fromarray(RAMP)), np.stack([RAMP] * 3, axis=-1))
    pure = Image.new("RGB", (3, 1))
    for x, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        pure.putpixel((x, 0), colour)
    assert_pixels(contract("L", height=1).pixels(pure), [[[76], [150], [29]]])


def test_palette() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 200, 100, 50, 255, 255, 255])
    for x in range(3):
        image.putpixel((x, 0), x)
    loaded = through_file(image, "PNG")
    assert loaded.mode == "P"
    expected = [[[10, 20, 30], [200, 100, 50], [255, 255, 255]]]
    assert_pixels(contract("RGB", height=1).pixels(loaded), expected)


def test_transparent_pixels_are_white() -> None:
    image = Image.new("RGBA", (1, 1), (10, 20, 30, 0))
    assert_pixels(contract("RGB", 1, 1).pixels(image), [[[255, 255, 255]]])
    grey = Image.new("LA", (1, 1), (40, 0))
    assert_pixels(contract("L", 1, 1).pixels(grey), [[[255]]])


def test_cmyk() -> None:
    image = Image.new("CMYK", (1, 1), (0, 255, 255, 0))
    assert_pixels(contract("RGB", 1, 1).pixels(image), [[[255, 0, 0]]])


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "I;16"), ("TIFF", "I;16")])
@pytest.mark.parametrize("target", ["L", "RGB"])
def test_sixteen_bits_keep_their_high_byte(kind: str, mode: str, target: str) -> None:
    values = np.array([[0, 255, 256], [0x1234, 0x80FF, 0xFFFF]], np.uint16)
    loaded = through_file(Image.fromarray(values), kind)
    assert loaded.mode == mode
    expected = np.array([[0, 0, 1], [0x12, 0x80, 0xFF]])[..., None]
    assert_pixels(
        contract(target).pixels(loaded), np.repeat(expected, 1 if target == "L" else 3, 2)
    )


def test_sixteen_bits_of_the_other_byte_order() -> None:
    image = Image.frombytes("I;16B", (2, 1), b"\x12\x34\xff\x00")
    assert_pixels(contract("L", 1, 2).pixels(image), [[[0x12], [0xFF]]])


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, RAMP),
        (2, RAMP[:, ::-1]),
        (3, RAMP[::-1, ::-1]),
        (4, RAMP[::-1]),
        (5, RAMP.T),
        (6, np.rot90(RAMP, -1)),
        (7, RAMP[::-1, ::-1].T),
        (8, np.rot90(RAMP)),
    ],
)
def test_exif_orientation(orientation: int, turned: Pixels) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = through_file(Image.fromarray(RAMP), "PNG", exif=exif)
    height, width = turned.shape
    assert_pixels(contract("L", height, width).pixels(image), turned[..., None])


def test_stretching_shows_the_whole_image() -> None:
    stripes = np.repeat(np.array([[0, 100, 200]], np.uint8), 2, axis=0)
    wide = Image.fromarray(np.repeat(stripes, 4, axis=1))
    found = contract("L", 2, 3, interpolation="box").pixels(wide)
    assert_pixels(found, stripes[..., None])


def test_cropping_keeps_the_aspect_and_the_centre() -> None:
    stripes = np.repeat(np.array([[0, 50, 100, 150, 200]], np.uint8), 2, axis=0)
    large = Image.fromarray(np.repeat(np.repeat(stripes, 4, axis=0), 4, axis=1))  # 20 x 8
    for interpolation in ("box", "nearest"):
        how = {"shorter_side": 2, "interpolation": interpolation}
        assert_pixels(contract("L", 2, 1, **how).pixels(large), [[[100]], [[100]]])
        assert_pixels(contract("L", 1, 2, **how).pixels(large), [[[50], [100]]])
    turned = large.transpose(Image.Transpose.TRANSPOSE)
    assert_pixels(contract("L", 1, 2, **how).pixels(turned), [[[100], [100]]])


sizes = st.integers(1, 40)


@settings(max_examples=60)
@given(
    image=st.tuples(sizes, sizes),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    more=st.integers(0, 9),
    seed=st.integers(0, 99),
)
def test_cropping_is_resizing_and_then_cutting(
    image: tuple[int, int], height: int, width: int, more: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, image, dtype=np.uint8)
    side = max(height, width) + more
    found = contract("L", height, width, shorter_side=side).pixels(Image.fromarray(noise))
    rows, columns = (max(side, round(size * side / min(image))) for size in image)
    resized = Image.fromarray(noise).resize((columns, rows), Image.Resampling.BILINEAR)
    left, top = (columns - width) // 2, (rows - height) // 2
    expected = resized.crop((left, top, left + width, top + height))
    # Rounding of the filter's weights may differ by one level.
    assert np.abs(found[..., 0].astype(int) - np.asarray(expected).astype(int)).max() <= 1


def test_a_long_and_narrow_image_takes_little_memory() -> None:
    # Resized whole, it would have 16 gigapixels.
    image = Image.new("L", (1, 65_000), 9)
    found = contract("L", 500, 500, shorter_side=500).pixels(image)
    assert_pixels(found, np.full((500, 500, 1), 9))


def test_a_truncated_image_is_an_error() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "PNG")
    image = Image.open(io.BytesIO(buffer.getvalue()[:1000]))
    with pytest.raises(OSError, match="truncated"):
        contract("L").pixels(image)


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "YUV"},
        {"mean": [0.0]},
        {"std": [1.0, 0.0, 1.0]},
        {"std": [1.0, float("nan"), 1.0]},
        {"mean": [0.0, float("inf"), 0.0]},
        {"height": 0},
        {"width": 10_000},
        {"shorter_side": 2, "width": 3},
        {"interpolation": "sinc"},
        {"crop": True},
        {"decoding": "draft"},
        {"decoding": "scaled", "interpolation": "nearest"},
    ],
)
def test_contracts_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Preprocessing.model_validate({**contract().model_dump(), **change})


def scaled(side: int, **more: object) -> Preprocessing:
    return contract("L", side, side, decoding="scaled", interpolation="box", **more)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("size", "kept_side", "decoded"),
    [
        ((800, 640), 80, (100, 80)),
        ((807, 647), 80, (101, 81)),
        ((800, 640), 81, (200, 160)),
        ((640, 5000), 160, (160, 1250)),
        ((640, 800), 161, (320, 400)),
        ((640, 800), 320, (320, 400)),
        ((640, 800), 321, (640, 800)),
        ((8, 8), 500, (8, 8)),
        ((800, 640), None, (800, 640)),
    ],
)
def test_a_jpeg_is_decoded_at_the_smallest_size_that_keeps_enough(
    size: tuple[int, int], kept_side: int | None, decoded: tuple[int, int]
) -> None:
    content = jpeg(Image.new("RGB", size))
    assert decode_image(content, kept_side=kept_side).size == decoded


@pytest.mark.parametrize("orientation", range(1, 9))
def test_scaled_decoding_shows_the_means_of_blocks(orientation: int) -> None:
    means = np.random.default_rng(0).integers(0, 256, (80, 80), dtype=np.uint8)
    tags = Image.Exif()
    tags[0x0112] = orientation
    content = jpeg(Image.fromarray(means.repeat(8, 0).repeat(8, 1)), exif=tags)
    # Of 640 x 640 pixels, 80 x 80 are kept: at 1/8, each is one block.
    expected = upright(Image.fromarray(means), orientation).resize((40, 40), Image.Resampling.BOX)
    found = scaled(40).read(content)[..., 0].astype(int)
    assert np.abs(found - np.asarray(expected).astype(int)).max() <= 2


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_scaled_decoding_leaves_other_formats_and_small_jpeg_as_they_are(form: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120), dtype=np.uint8))
    file = io.BytesIO()
    noise.save(file, form)
    full = scaled(10).model_copy(update={"decoding": "full"})
    np.testing.assert_array_equal(scaled(10).read(file.getvalue()), full.read(file.getvalue()))
    large = scaled(10, shorter_side=46)
    full = large.model_copy(update={"decoding": "full"})
    np.testing.assert_array_equal(large.read(jpeg(noise)), full.read(jpeg(noise)))


def test_scaled_decoding_is_part_of_equality_and_of_the_file_only_if_chosen() -> None:
    assert scaled(4) != scaled(4).model_copy(update={"decoding": "full"})
    assert "decoding" not in contract(decoding="full").model_dump()
    assert Preprocessing.model_validate_json(scaled(4).model_dump_json()) == scaled(4)
