import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

from rn_model.data import DataError, DatasetConfig, JoinedSet, PictureSet, open_dataset
from tests.rn_model.data.pictures import SMALL, arrays, class_folders

# Later versions of Python warn about forking while torch has threads.
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def _folder(tmp_path: Path, cache: bool) -> PictureSet:
    class_folders(tmp_path, {"a": 3, "b": 2})
    return open_dataset(DatasetConfig(path=".", cache=cache), SMALL, tmp_path).images


def _greys(images: PictureSet | JoinedSet, indices: list[int]) -> list[int]:
    pixels = images.read(indices)
    assert pixels.shape == (len(indices), *images.read([0]).shape[1:])
    assert pixels.dtype == np.uint8
    return [int(image[0, 0, 0]) for image in pixels]


@pytest.mark.parametrize("cache", [True, False])
def test_images_are_read_in_the_given_order(tmp_path: Path, cache: bool) -> None:
    images = _folder(tmp_path, cache)
    for _ in range(2):
        assert _greys(images, [4, 0, 0, 2]) == [4, 0, 0, 2]
        assert _greys(images, []) == []


def test_only_a_cache_outlives_the_files(tmp_path: Path) -> None:
    kept, read = _folder(tmp_path, True), _folder(tmp_path, False)
    assert _greys(kept, [1]) == _greys(read, [1]) == [1]
    (tmp_path / "a/001.png").unlink()
    assert _greys(kept, [1]) == [1]
    with pytest.raises(DataError, match=r"001\.png"):
        read.read([1])


@pytest.mark.parametrize("cache", [True, False])
def test_a_set_can_be_pickled(tmp_path: Path, cache: bool) -> None:
    images = _folder(tmp_path, cache).take(np.array([2, 3]))
    images.read([0])
    copy: PictureSet = pickle.loads(pickle.dumps(images))
    assert _greys(copy, [0, 1]) == [2, 3]
    assert copy.fingerprint == images.fingerprint


@FORKS
def test_processes_that_read_share_the_cache(tmp_path: Path) -> None:
    images = _folder(tmp_path, True)
    loader: DataLoader[Any] = DataLoader(
        range(5),  # type: ignore[arg-type]
        batch_size=5,
        num_workers=1,
        collate_fn=images.read,
        multiprocessing_context="fork",
    )
    for pixels in loader:
        assert pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    assert _greys(images, [3, 1]) == [3, 1]


@FORKS
def test_an_error_in_another_process_is_reported_on_one_line(tmp_path: Path) -> None:
    images = _folder(tmp_path, False)
    (tmp_path / "b/001.png").write_bytes(b"broken")
    loader: DataLoader[Any] = DataLoader(
        range(5),  # type: ignore[arg-type]
        num_workers=1,
        collate_fn=images.read,
        multiprocessing_context="fork",
    )
    with pytest.raises(DataError, match=r"^image .*001\.png is not an image [^\n]*$"):
        list(loader)


@pytest.mark.parametrize("cache", [True, False])
def test_the_same_images_through_another_contract(tmp_path: Path, cache: bool) -> None:
    images = _folder(tmp_path, cache)
    images.read([0])
    larger = images.through(SMALL.model_copy(update={"height": 8}))
    assert larger.read([4, 0]).shape == (2, 8, 6, 1)
    assert _greys(larger, [4, 0]) == _greys(images, [4, 0])
    assert larger.fingerprint == images.fingerprint
    assert images.through(SMALL) is images


def test_sets_are_joined(tmp_path: Path) -> None:
    one = _folder(tmp_path, False)
    joined = JoinedSet((one.take(np.array([3])), one.take(np.array([0, 4]))))
    assert len(joined) == 3
    assert _greys(joined, [2, 0, 1]) == [4, 3, 0]
    assert _greys(joined, []) == []
    assert joined.labels is not None
    assert joined.labels.tolist() == [1, 0, 1]
    assert joined.classes == ("a", "b")
    assert joined.through(SMALL.model_copy(update={"width": 3})).read([0]).shape == (1, 4, 3, 1)
    assert joined.fingerprint != one.fingerprint


def test_a_fingerprint_depends_on_pixels_and_labels(tmp_path: Path) -> None:
    contents = {"same": [0, 1, 1], "again": [0, 1, 1], "label": [0, 1, 0], "fewer": [0, 1]}
    prints = {}
    for name, labels in contents.items():
        path = arrays(tmp_path / f"{name}.npz", labels)
        prints[name] = open_dataset(
            DatasetConfig(path=str(path)), SMALL, tmp_path
        ).images.fingerprint
    assert prints["same"] == prints["again"]
    assert len(set(prints.values())) == 3
