import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bundle.images.formats import format_names
from service.api.decoding import decode_image
from service.errors import InvalidContent, ServiceError, TooLarge
from tests.contracts import SMALL
from tests.service.pictures import huge_png, noise, png

CONTRACT = SMALL.preprocessing
IMAGE = noise(1)[0].repeat(3, 0).repeat(3, 1)
FORMATS = format_names()
FILES = {form: png(IMAGE, form) for form in FORMATS}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read(form: str) -> None:
    pixels = decode_image(FILES[form], CONTRACT, 10**6, "image")
    assert pixels.dtype == np.uint8
    assert pixels.shape == CONTRACT.shape
    lossless = decode_image(FILES["PNG"], CONTRACT, 10**6, "image")
    assert np.abs(pixels.astype(int) - lossless).mean() < 12


@settings(max_examples=150)
@given(st.sampled_from(FORMATS), st.floats(0, 1), st.binary(min_size=1, max_size=4), st.booleans())
def test_damage_is_told_in_one_line(form: str, place: float, bytes_: bytes, cut: bool) -> None:
    content = FILES[form]
    at = round(place * (len(content) - 1))
    damaged = content[:at] if cut else content[:at] + bytes_ + content[at + len(bytes_) :]
    try:
        pixels = decode_image(damaged, CONTRACT, 10**6, "image 7")
    except ServiceError as error:
        detail = error.detail
    else:
        assert pixels.shape == CONTRACT.shape
        return
    assert detail.startswith("image 7 ")
    assert "\n" not in detail


def test_the_number_of_pixels_is_checked_before_they_are_decoded() -> None:
    height, width = IMAGE.shape[:2]
    decode_image(FILES["PNG"], CONTRACT, height * width, "image")
    with pytest.raises(TooLarge, match=f"image has {width} x {height} = {height * width} pixels"):
        decode_image(FILES["PNG"], CONTRACT, height * width - 1, "image")
    with pytest.raises(TooLarge, match="900,000,000 pixels; at most 1,000 are"):
        decode_image(huge_png(30_000), CONTRACT, 1000, "image")


def test_the_setting_decides_what_is_too_large() -> None:
    # Beyond what Pillow calls a bomb; only the start of the file is there, so it is found damaged.
    with pytest.raises(InvalidContent, match="damaged or incomplete"):
        decode_image(huge_png(14_000)[:60], CONTRACT, 10**9, "image")


def test_other_formats_are_refused_although_pillow_reads_them() -> None:
    for form in ("ICO", "JPEG2000", "TGA"):
        with pytest.raises(InvalidContent, match="is not an image in a supported format"):
            decode_image(png(IMAGE, form), CONTRACT, 10**6, "image")


def test_colour_and_transparency() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (20, 30), (200, 200, 200, 128)).save(buffer, "PNG")
    pixels = decode_image(buffer.getvalue(), CONTRACT, 10**6, "image")
    assert set(pixels.ravel().tolist()) == {227}
