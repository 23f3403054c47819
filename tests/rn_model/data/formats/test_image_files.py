import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rn_model.data import DataError
from rn_model.data.formats.image_files import FilePictures, image_paths, read_image
from tests.rn_model.data.pictures import COLOUR, SMALL, picture
from tests.service.pictures import huge_png


def test_images_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "a/x/1.jpg", "10.jpeg", "a.png/3.tiff", ".hidden.png", ".git/4.png"):
        picture(tmp_path / name)
    (tmp_path / "b/notes.txt").write_text("not an image")
    (tmp_path / "b/Thumbs.db").write_bytes(b"")
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    (tmp_path / "b/up").symlink_to(tmp_path)
    assert image_paths(tmp_path) == [
        "10.jpeg",
        "a.png/3.tiff",
        "a/x/1.jpg",
        "b/2.PNG",
        "linked/2.PNG",
    ]


def test_cyclic_links_end(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / name / "1.png")
    for number in range(4):
        (tmp_path / "a" / f"to-b{number}").symlink_to(tmp_path / "b")
        (tmp_path / "b" / f"to-a{number}").symlink_to(tmp_path / "a")
    found = image_paths(tmp_path)
    assert len(found) == 2 + 8
    assert {"a/1.png", "a/to-b3/1.png", "b/1.png", "b/to-a0/1.png"} <= set(found)


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
        (b"", "cannot identify"),
        (b"some text", "cannot identify"),
        (huge_png(30_000), "(too large|exceeds limit)"),
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
    with pytest.raises(DataError, match=r"cannot read image .*cut\.jpg: .*truncated"):
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
