from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rn_model.data import DataError, ImageSet, Task, TaskConfig, open_task
from tests.rn_model.data.pictures import SMALL, arrays, class_folders, flat_folder


def _open(base: Path, **config: Any) -> Task:
    return open_task(TaskConfig.model_validate(config), SMALL, base)


def _greys(images: ImageSet) -> list[int]:
    return [int(image[0, 0, 0]) for image in images.read(range(len(images)))]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    class_folders(tmp_path / "source", {"a": 10, "b": 20, "c": 10})
    class_folders(tmp_path / "part", {"c": 2, "a": 1}, first=50)
    flat_folder(tmp_path / "flat", 5)
    return tmp_path


def test_held_out_images_are_not_trained_on(data: Path) -> None:
    task = _open(data, source={"path": "source"}, target={"path": "flat"}, validation=0.2)
    (source,) = task.sources
    assert sorted(_greys(source) + _greys(task.validation)) == list(range(40))
    assert task.validation.labels is not None
    assert np.bincount(task.validation.labels).tolist() == [2, 4, 2]
    again = _open(data, source={"path": "source"}, target={"path": "flat"}, validation=0.2)
    assert _greys(again.validation) == _greys(task.validation)
    assert again.sources[0].fingerprint == source.fingerprint


def test_a_target_may_have_no_labels(data: Path) -> None:
    task = _open(data, source={"path": "source"}, target={"path": "flat"})
    assert (task.target.labels, task.target.classes, task.test) == (None, None, None)
    assert task.classes == ("a", "b", "c")


def test_a_target_may_have_some_of_the_classes(data: Path) -> None:
    task = _open(data, source={"path": "source"}, target={"path": "part"}, test={"path": "part"})
    for images in (task.target, task.test):
        assert images is not None
        assert images.labels is not None
        assert images.labels.tolist() == [0, 2, 2]
        assert images.classes == ("a", "b", "c")


def test_an_empty_class_folder_of_a_target_does_not_matter(data: Path) -> None:
    (data / "part" / "unknown").mkdir()
    task = _open(data, source={"path": "source"}, target={"path": "part"})
    assert task.target.labels is not None


def test_given_classes_are_in_their_order(data: Path) -> None:
    task = _open(
        data,
        source={"path": "source"},
        target={"path": "part"},
        classes=["c", "b", "a"],
    )
    assert task.target.labels is not None
    assert task.target.labels.tolist() == [2, 0, 0]
    assert task.sources[0].labels is not None
    assert task.sources[0].labels[0] == 2


def test_several_sources_agree_on_their_classes(data: Path) -> None:
    class_folders(data / "other", {"c": 4, "b": 4, "a": 4}, first=100)
    task = _open(
        data,
        source=[{"path": "source"}, {"path": "other"}],
        target={"path": "flat"},
        validation=0.25,
    )
    assert [len(source) for source in task.sources] == [40 - 9, 9]
    assert len(task.validation) == 12
    assert task.validation.name == "source + other"
    assert min(_greys(task.sources[1])) >= 100
    assert task.validation.labels is not None
    assert sorted(_greys(task.validation))[-3:] == sorted(
        set(range(100, 112)) - set(_greys(task.sources[1]))
    )


def test_a_validation_set_of_its_own(data: Path) -> None:
    task = _open(
        data, source={"path": "source"}, target={"path": "flat"}, validation={"path": "part"}
    )
    assert len(task.sources[0]) == 40
    assert _greys(task.validation) == [52, 50, 51]
    assert task.validation.labels is not None
    assert task.validation.labels.tolist() == [0, 2, 2]


def test_numbers_mean_the_same_in_all_sets(tmp_path: Path) -> None:
    arrays(tmp_path / "source.npz", [0, 1, 2] * 4)
    arrays(tmp_path / "target.npz", [1, 0])
    task = _open(tmp_path, source={"path": "source.npz"}, target={"path": "target.npz"})
    assert task.classes == ("0", "1", "2")
    assert task.target.labels is not None
    assert task.target.labels.tolist() == [1, 0]
    named = _open(
        tmp_path,
        source={"path": "source.npz"},
        target={"path": "target.npz"},
        classes=["x", "y", "z"],
    )
    assert named.target.classes == ("x", "y", "z")
    arrays(tmp_path / "target.npz", [1, 3])
    with pytest.raises(DataError, match="has the label 3, which is out of range for 3 classes"):
        _open(tmp_path, source={"path": "source.npz"}, target={"path": "target.npz"})


def test_unreadable_files_are_reported(data: Path) -> None:
    (data / "flat" / "003.png").write_bytes(b"broken")
    task = _open(data, source={"path": "source"}, target={"path": "flat", "unreadable": "skip"})
    assert _greys(task.target) == [0, 1, 2, 4]
    assert len(task.skipped) == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"source": {"path": "flat"}}, "source flat has no labels; it needs one folder per class"),
        ({"source": {"path": "one"}}, "at least two classes are needed, found 1: a"),
        ({"source": {"path": "empty"}}, "source empty has no images of class b"),
        (
            {"target": {"path": "empty", "labels": True}, "classes": ["a", "b"]},
            "unknown classes: c",
        ),
        (
            {"target": {"path": "strange"}},
            "target strange has unknown classes: x, y; .* labels: fal",
        ),
        (
            {"test": {"path": "strange"}},
            "test strange has unknown classes: x, y; the classes are a",
        ),
        ({"test": {"path": "flat"}}, "test flat has no labels"),
        ({"validation": {"path": "flat"}}, "validation flat has no labels"),
        (
            {"source": [{"path": "source"}, {"path": "part"}]},
            "the classes of the sources differ: b in source, but not in part",
        ),
        (
            {"source": [{"path": "part"}, {"path": "source"}]},
            "the classes of the sources differ: b in source, but not in part",
        ),
        ({"classes": ["a", "b", "c", "d"]}, "source source has no images of class d"),
        ({"source": {"path": "single"}}, "only one image per class, so none can be held out"),
        ({"source": {"path": "gone"}}, "folder not found: .*gone"),
    ],
)
def test_an_inconsistent_task_is_an_error(
    data: Path, change: dict[str, Any], complaint: str
) -> None:
    class_folders(data / "one", {"a": 3})
    class_folders(data / "empty", {"a": 3, "b": 0, "c": 3})
    class_folders(data / "strange", {"x": 1, "y": 1, "a": 1})
    class_folders(data / "single", {"a": 1, "b": 1})
    config = {"source": {"path": "source"}, "target": {"path": "flat"}, **change}
    with pytest.raises(DataError, match=complaint) as caught:
        _open(data, **config)
    assert "\n" not in str(caught.value)
