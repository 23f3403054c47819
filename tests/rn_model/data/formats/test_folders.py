from pathlib import Path

import pytest

from rn_model.data import DataError
from rn_model.data.formats.folders import open_folder
from tests.rn_model.data.pictures import class_folders, flat_folder, picture


def test_one_folder_per_class(tmp_path: Path) -> None:
    class_folders(tmp_path, {"zebra": 2, "ape": 1, ".cache": 1})
    picture(tmp_path / "zebra" / "more" / "deep.png")
    found = open_folder(tmp_path, labels=None)
    assert found.classes == ("ape", "zebra")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("labels", [None, False])
def test_a_flat_folder_has_no_labels(tmp_path: Path, labels: bool | None) -> None:
    found = open_folder(flat_folder(tmp_path, 3), labels=labels)
    assert (len(found.pictures), found.labels, found.classes) == (3, None, None)


def test_labels_can_be_hidden(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 2, "b": 1})
    picture(tmp_path / "loose.png")
    found = open_folder(tmp_path, labels=False)
    assert (len(found.pictures), found.labels, found.classes) == (4, None, None)


def test_an_invalid_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"folder not found: .*gone"):
        open_folder(tmp_path / "gone", labels=None)
    with pytest.raises(DataError, match=r"no images in folder"):
        open_folder(tmp_path, labels=None)
    file = picture(tmp_path / "a" / "x.png")
    with pytest.raises(DataError, match=r"x\.png is a file"):
        open_folder(file, labels=None)
    picture(tmp_path / "loose.png")
    with pytest.raises(DataError, match=r"contains images directly: loose\.png; labels: false"):
        open_folder(tmp_path, labels=None)
    with pytest.raises(DataError, match="needs one folder per class"):
        open_folder(flat_folder(tmp_path / "flat", 2), labels=True)


@pytest.mark.parametrize("splits", [("train", "val"), ("Training",), ("test", "train", "valid")])
def test_splits_with_classes_below_them_are_refused(
    splits: tuple[str, ...], tmp_path: Path
) -> None:
    for split in splits:
        class_folders(tmp_path / split, {"cat": 1, "dog": 1})
    with pytest.raises(DataError, match=r"is divided into .* set its path to .*[Tt]rain"):
        open_folder(tmp_path, labels=True)
    assert open_folder(tmp_path, labels=False).labels is None


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    class_folders(tmp_path / "vehicles", {"bus": 1, "train": 1})
    assert open_folder(tmp_path / "vehicles", labels=None).classes == ("bus", "train")
    class_folders(tmp_path / "halves", {"test": 1, "train": 1})
    assert open_folder(tmp_path / "halves", labels=None).classes == ("test", "train")
