from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rn_model.data import DataError, DatasetConfig, PictureSet, open_dataset
from tests.rn_model.data.pictures import SMALL, arrays, class_folders, flat_folder


def _open(base: Path, names: tuple[str, ...] | None = None, **config: Any) -> PictureSet:
    return open_dataset(DatasetConfig.model_validate(config), SMALL, base, names).images


def _greys(images: PictureSet) -> list[int]:
    return [int(image[0, 0, 0]) for image in images.read(range(len(images)))]


def test_a_path_starts_from_the_base(tmp_path: Path) -> None:
    class_folders(tmp_path / "data", {"a": 1, "b": 1})
    assert _open(tmp_path, path="data").name == "data"
    assert _open(tmp_path / "data", path="../data", name="mine").name == "mine"


def test_only_some_classes(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 2, "b": 2, "c": 1})
    images = _open(tmp_path, path=".", only=["c", "a"])
    assert _greys(images) == [0, 1, 4]
    assert images.labels is not None
    assert images.labels.tolist() == [0, 0, 2]
    with pytest.raises(DataError, match="'only' lists unknown classes: d; the classes are a, b, c"):
        _open(tmp_path, path=".", only=["a", "d"])
    with pytest.raises(DataError, match="'only' needs labels"):
        _open(flat_folder(tmp_path / "flat", 2), path=".", only=["a"])


def test_a_draw_is_made_once_after_the_selection(tmp_path: Path) -> None:
    path = str(arrays(tmp_path / "a.npz", [0, 1] * 20))
    drawn = _greys(_open(tmp_path, path=path, only=["1"], draw={"count": 8, "seed": 5}))
    assert len(set(drawn)) == 8
    assert all(grey % 2 == 1 for grey in drawn)
    assert drawn == sorted(drawn)
    assert drawn == _greys(_open(tmp_path, path=path, only=["1"], draw={"count": 8, "seed": 5}))
    assert drawn != _greys(_open(tmp_path, path=path, only=["1"], draw={"count": 8, "seed": 6}))
    with pytest.raises(DataError, match="cannot draw 21 images from 20"):
        _open(tmp_path, path=path, only=["1"], draw={"count": 21})


def test_labels_of_arrays_get_names(tmp_path: Path) -> None:
    path = str(arrays(tmp_path / "a.npz", [2, 0, 1]))
    assert _open(tmp_path, path=path).classes is None
    assert _open(tmp_path, ("x", "y", "z"), path=path).classes == ("x", "y", "z")
    given = _open(tmp_path, ("x", "y", "z"), path=path, classes=["p", "q", "r"])
    assert given.classes == ("p", "q", "r")
    with pytest.raises(
        DataError, match=r"'labels' contains 2, which is out of range for 2 classes \(0 to 1\)"
    ):
        _open(tmp_path, ("x", "y"), path=path)
    assert _open(tmp_path, ("x", "y"), path=path, labels=False).classes is None


def test_built_in_labels_can_be_hidden(tmp_path: Path) -> None:
    images = _open(tmp_path, built_in="printed-digits", count=12, labels=False)
    assert (len(images), images.labels, images.classes) == (12, None, None)


@pytest.mark.parametrize("listed", [True, False])
def test_unreadable_files_are_skipped_if_configured(tmp_path: Path, listed: bool) -> None:
    class_folders(tmp_path, {"a": 3, "b": 2})
    (tmp_path / "a/001.png").write_bytes(b"broken")
    config: dict[str, Any] = {"path": "."}
    if listed:
        lines = [f"a/{number:03d}.png 0\n" for number in range(4)]
        (tmp_path / "list.txt").write_text("".join(lines) + "b/000.png 1\n")
        config = {"list": "list.txt"}
    opened = open_dataset(
        DatasetConfig.model_validate({**config, "unreadable": "skip"}), SMALL, tmp_path
    )
    assert _greys(opened.images) == ([0, 2, 3] if listed else [0, 2, 3, 4])
    assert [line.count("is not an image") for line in opened.skipped] == ([1, 0] if listed else [1])
    assert opened.images.labels is not None
    assert opened.images.labels.tolist() == ([0, 0, 1] if listed else [0, 0, 1, 1])


def test_an_empty_selection_is_an_error(tmp_path: Path) -> None:
    flat_folder(tmp_path, 1)
    (tmp_path / "000.png").write_bytes(b"broken")
    with pytest.raises(DataError, match="no images are left"):
        _open(tmp_path, path=".", unreadable="skip")
    np.savez(tmp_path / "a.npz", images=np.zeros((0, 4, 4), np.uint8))
    with pytest.raises(DataError, match="no images are left"):
        _open(tmp_path, path="a.npz")
