import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from rn_model.data import DataError
from rn_model.data.formats.image_files import FilePictures, read_image
from service.api.decoding import decode_image
from tests.rn_model.data.pictures import COLOUR, SMALL, picture
from tests.service.pictures import huge_png


def test_an_image_goes_through_the_contract(tmp_path: Path) -> None:
    image = Image.effect_noise((30, 20), 80).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    image.save(tmp_path / "a.png", exif=exif)
    pixels = read_image(tmp_path / "a.png", COLOUR)
    assert np.array_equal(pixels, COLOUR.pixels(image.rotate(-90, expand=True)))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"some text", "is not an image in a supported format"),
        (huge_png(30_000), "has 30000 x 30000 = 900,000,000 pixels"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"bad\.png.*{complaint}") as caught:
        read_image(path, SMALL)
    assert "\n" not in str(caught.value)


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    Image.effect_noise((64, 64), 80).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"image .*cut\.jpg is damaged or incomplete: .*truncated"):
        read_image(path, SMALL)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"image not found: .*gone\.png"):
        read_image(tmp_path / "gone.png", SMALL)


def test_unreadable_files_are_found(tmp_path: Path) -> None:
    names = ("a.png", "b.png", "c.png")
    for name in names:
        picture(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no")
    found = FilePictures(tmp_path, names).unreadable(SMALL)
    assert list(found) == [1]
    assert "b.png" in found[1]


def test_the_fingerprint_identifies_the_set(tmp_path: Path) -> None:
    for number, name in enumerate(("a.png", "b.png")):
        picture(tmp_path / name, number)
    pictures = FilePictures(tmp_path, ("a.png", "b.png"))
    both, one = np.array([0, 1]), np.array([0])
    before = pictures.describe(both).hexdigest()
    assert pictures.describe(both).hexdigest() == before
    assert pictures.describe(one).hexdigest() != before
    with (tmp_path / "b.png").open("ab") as file:
        file.write(b"more")
    assert pictures.describe(both).hexdigest() != before
    os.remove(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png"):
        pictures.describe(both)


@given(
    form=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"]),
    mode=st.sampled_from(["1", "L", "LA", "I;16", "P", "RGB", "RGBA", "CMYK"]),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    orientation=st.integers(0, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_training_and_service_read_the_same_pixels(
    form: str, mode: str, size: tuple[int, int], orientation: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 4), dtype=np.uint8)
    image = Image.fromarray(noise)
    if mode == "I;16":
        image = Image.fromarray(noise.view(np.uint16)[..., 0])
    elif mode != "RGBA":
        image = image.convert("RGB").convert(mode)
    tags = Image.Exif()
    tags[0x0112] = orientation
    file = io.BytesIO()
    try:
        image.save(file, form, **({} if form in ("BMP", "GIF", "PPM") else {"exif": tags}))
    except (OSError, ValueError, KeyError):
        assume(False)  # the format does not have this mode
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image"
        path.write_bytes(file.getvalue())
        trained = read_image(path, COLOUR)
    np.testing.assert_array_equal(decode_image(file.getvalue(), COLOUR, 10**6, "image"), trained)
