from pathlib import Path

import numpy as np
import pytest
import torch

from bundle.preprocessing import Preprocessing
from rn_model.data import DataError, DatasetConfig, ImageSet, open_dataset
from rn_model.training.batches.loader import ImageBatch, ordered_batches, training_batches
from rn_model.training.batches.sampler import StepSampler
from tests.rn_model.data.pictures import SMALL, class_folders, flat_folder


def _set(path: Path, preprocessing: Preprocessing = SMALL, **more: object) -> ImageSet:
    given = DatasetConfig.model_validate({"path": str(path), **more})
    return open_dataset(given, preprocessing, Path()).images


@pytest.fixture
def labelled(tmp_path: Path) -> ImageSet:
    """11 images of two classes; image k has grey level k."""
    return _set(class_folders(tmp_path / "labelled", {"a": 5, "b": 6}))


@pytest.fixture
def unlabelled(tmp_path: Path) -> ImageSet:
    """7 images; image k has grey level k."""
    return _set(flat_folder(tmp_path / "unlabelled", 7))


def _batches(sets: list[ImageSet], steps: range, workers: int = 0) -> list[ImageBatch]:
    return list(training_batches(sets, 6, steps, seed=3, share=(0, 1), workers=workers))


def test_images_come_in_the_given_order(labelled: ImageSet) -> None:
    indices = [10, 2, 2, 7, 0]
    batches = list(ordered_batches(labelled, indices, batch_size=2, workers=0))
    assert [len(batch.pixels) for batch in batches] == [2, 2, 1]
    assert torch.cat([batch.indices for batch in batches]).tolist() == indices
    assert torch.cat([batch.pixels for batch in batches])[:, 0, 0, 0].tolist() == indices
    assert torch.cat([batch.labels for batch in batches]).tolist() == [1, 0, 0, 1, 0]


def test_a_batch_of_several_sets_keeps_images_labels_and_places_together(
    labelled: ImageSet, unlabelled: ImageSet
) -> None:
    assert labelled.labels is not None
    for batch in _batches([labelled, unlabelled], range(5)):
        greys = batch.pixels[:, 0, 0, 0]
        for grey, label, place in zip(greys, batch.labels, batch.indices, strict=True):
            if place < len(labelled):
                assert grey == place and label == labelled.labels[int(place)]
            else:
                assert grey == place - len(labelled) and label == -1


def test_batches_hold_what_the_sampler_says(labelled: ImageSet, unlabelled: ImageSet) -> None:
    sampled = StepSampler([11, 7], 6, range(2, 6), seed=3)
    batches = _batches([labelled, unlabelled], range(2, 6))
    assert [sorted(b.indices.tolist()) for b in batches] == [sorted(b) for b in sampled]


def test_worker_processes_change_nothing(labelled: ImageSet, unlabelled: ImageSet) -> None:
    alone = _batches([labelled, unlabelled], range(4))
    beside = _batches([labelled, unlabelled], range(4), workers=2)
    for one, other in zip(alone, beside, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_an_empty_share_has_a_shape(labelled: ImageSet) -> None:
    batches = training_batches([labelled], 2, range(1), seed=0, share=(2, 3), workers=0)
    (batch,) = batches
    assert batch.pixels.shape == (0, 4, 6, 1) and batch.pixels.dtype == torch.uint8
    assert batch.labels.shape == batch.indices.shape == (0,)


def test_a_batch_can_be_moved(labelled: ImageSet) -> None:
    batch = _batches([labelled], range(1))[0].to(torch.device("meta"))
    assert {part.device.type for part in batch} == {"meta"}


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_named_in_one_line(tmp_path: Path, workers: int) -> None:
    folder = flat_folder(tmp_path / "images", 4)
    (folder / "002.png").write_bytes(b"no image")
    images = _set(folder)
    with pytest.raises(DataError) as caught:
        list(ordered_batches(images, range(4), batch_size=2, workers=workers))
    assert "\n" not in str(caught.value)
    assert str(folder / "002.png") in str(caught.value)
    read = images.read([0, 1, 3])
    assert np.array_equal(read[:, 0, 0, 0], [0, 1, 3])
