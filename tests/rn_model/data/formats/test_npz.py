from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rn_model.data import DataError, DatasetConfig
from rn_model.data.formats.npz import open_npz
from tests.rn_model.data.pictures import COLOUR, SMALL, arrays


def _config(path: Path, **more: Any) -> DatasetConfig:
    return DatasetConfig.model_validate({"path": str(path), **more})


def test_images_and_labels_of_a_file(tmp_path: Path) -> None:
    path = arrays(tmp_path / "a.npz", [2, 0, 1])
    found = open_npz(path, _config(path))
    assert found.labels is not None
    assert found.labels.tolist() == [2, 0, 1]
    assert found.labels.dtype == np.int64
    assert found.pictures.pixels(1, SMALL).tolist() == np.full(SMALL.shape, 1).tolist()


def test_a_split_of_a_file(tmp_path: Path) -> None:
    path = arrays(tmp_path / "a.npz", [2, 0, 1, 1], split=np.array([0, 1, 0, 1]))
    found = open_npz(path, _config(path, split="test"))
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1]
    assert [int(found.pictures.pixels(place, SMALL)[0, 0, 0]) for place in (0, 1)] == [1, 3]


def test_arrays_may_have_other_names(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    x = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    np.savez(path, x=x, y=np.arange(3), part=np.array([True, False, False]).astype(np.uint8))
    keys = {"images_key": "x", "labels_key": "y", "split_key": "part"}
    found = open_npz(path, _config(path, split="train", **keys))
    assert found.labels is not None
    assert found.labels.tolist() == [1, 2]
    assert np.array_equal(found.pictures.pixels(0, COLOUR), x[1])


def test_labels_may_be_missing_or_hidden(tmp_path: Path) -> None:
    path = arrays(tmp_path / "a.npz", [0, 1], labels=None)
    assert open_npz(path, _config(path)).labels is None
    with pytest.raises(DataError, match=r"a\.npz has no array 'labels'; it contains images"):
        open_npz(path, _config(path, labels=True))
    path = arrays(tmp_path / "b.npz", [0, 1])
    assert open_npz(path, _config(path, labels=False)).labels is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"images": np.zeros((2, 4, 6))}, r"'images' must be uint8 .* not float64 \(2, 4, 6\)"),
        ({"images": np.zeros((2, 3, 4, 6), np.uint8)}, r"not uint8 \(2, 3, 4, 6\)"),
        (
            {"labels": np.zeros(3, np.int64)},
            r"'labels' must be integers of shape \(2,\), not int64",
        ),
        ({"labels": np.zeros(2)}, "must be integers"),
        ({"labels": np.array([0, -1])}, "contains -1; labels count from 0"),
        ({"split": np.array([0, 2])}, r"'split' must contain only 0 \(train\) and 1 \(test\)"),
        ({"split": None}, "has no array 'split'"),
        ({"labels": np.array([None, {}])}, "cannot read 'labels'"),
    ],
)
def test_invalid_arrays_are_an_error(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    path = arrays(tmp_path / "a.npz", [0, 1], **{"split": np.array([0, 1]), **change})
    with pytest.raises(DataError, match=complaint):
        open_npz(path, _config(path, split="train"))


def test_an_invalid_npz_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match=r"file not found: .*a\.npz"):
        open_npz(path, _config(path))
    path.write_text("text")
    with pytest.raises(DataError, match=r"a\.npz is not an \.npz file"):
        open_npz(path, _config(path))
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match="contains a single array"):
        open_npz(path, _config(path))
    arrays(path, [0, 1])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a\.npz is not an \.npz file"):
        open_npz(path, _config(path))
