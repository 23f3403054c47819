from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.checks.labelled_images import read_labelled
from rn_model.data import DataError
from tests.networks import SMALL

CONTRACT = SMALL.preprocessing


def picture(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (6, 8), level).save(path)


def test_folders_are_classes_in_the_order_of_the_model(tmp_path: Path) -> None:
    picture(tmp_path / "left" / "a.png", 10)
    picture(tmp_path / "right" / "b.png", 20)
    found = read_labelled(tmp_path, ("right", "left", "none"), CONTRACT)
    assert found.images.shape == (2, 8, 6, 1)
    assert dict(zip(found.images[:, 0, 0, 0].tolist(), found.labels.tolist(), strict=True)) == {
        10: 1,
        20: 0,
    }


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 10)
    with pytest.raises(DataError, match="has no labels: provide one subfolder per class"):
        read_labelled(tmp_path, SMALL.classes, CONTRACT)


def test_unknown_classes_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 8, 6), np.uint8), labels=np.array([0, 3]))
    with pytest.raises(DataError, match="label 3, which is out of range for 3 classes"):
        read_labelled(tmp_path / "a.npz", SMALL.classes, CONTRACT)
