from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rn_model.data import DatasetConfig, TaskConfig
from rn_model.data.config import expand


def test_one_source_may_stand_alone() -> None:
    one = {"source": {"path": "a"}, "target": {"path": "b"}}
    task = TaskConfig.model_validate(one)
    assert task == TaskConfig.model_validate({**one, "source": [{"path": "a"}]})
    assert task.source == (DatasetConfig(path="a"),)
    assert task.validation == 0.1


def test_a_task_survives_json() -> None:
    task = TaskConfig.model_validate(
        {
            "source": [{"path": "a.npz", "split": "train"}, {"list": "b.txt", "root": "."}],
            "target": {"built_in": "printed-digits", "count": 30, "seed": 2},
            "validation": {"path": "v", "only": ["x"], "draw": {"count": 3}},
        }
    )
    assert TaskConfig.model_validate_json(task.model_dump_json()) == task
    assert isinstance(task.validation, DatasetConfig)


@pytest.mark.parametrize(
    ("dataset", "complaint"),
    [
        ({}, "exactly one of path, list and built_in"),
        ({"path": "a", "list": "b"}, "exactly one of path, list and built_in"),
        ({"path": "a", "root": "b"}, "root is only valid with list"),
        ({"path": "a", "split": "train"}, "split is only valid for .npz files"),
        ({"path": "a", "images_key": "x"}, "images_key is only valid for .npz files"),
        ({"path": "a", "classes": ["x"]}, "classes names the labels of a list or an .npz file"),
        ({"path": "a", "seed": 1}, "seed is only valid with printed-digits"),
        ({"built_in": "handwritten-digits", "count": 1}, "count is only valid with printed-digits"),
        ({"path": "a.npz", "unreadable": "skip"}, "unreadable is only valid for image files"),
        ({"path": "a", "labels": False, "only": ["x"]}, "only needs labels"),
        ({"path": "a", "colour": 1}, "Extra inputs are not permitted"),
        ({"path": "a", "draw": {"count": 0}}, "greater than or equal to 1"),
    ],
)
def test_an_invalid_data_set_is_an_error(dataset: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        DatasetConfig.model_validate(dataset)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"source": []}, "at least 1 item"),
        ({"source": {"path": "a", "labels": False}}, "source needs labels"),
        ({"test": {"path": "a", "labels": False}}, "test needs labels"),
        ({"validation": {"path": "a", "labels": False}}, "validation needs labels"),
        ({"validation": 1.0}, "less than 1"),
        ({"validation": 0}, "greater than 0"),
        ({"classes": ["x", "x"]}, "classes must be distinct"),
    ],
)
def test_an_invalid_task_is_an_error(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as caught:
        TaskConfig.model_validate({"source": {"path": "a"}, "target": {"path": "b"}, **change})
    assert caught.value.error_count() == 1


def test_paths_are_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PICTURES", "some/where")
    monkeypatch.setenv("HOME", "/home/someone")
    assert expand("$PICTURES/x", tmp_path) == tmp_path / "some/where/x"
    assert expand("~/x", tmp_path) == Path("/home/someone/x")
    assert expand("../x", tmp_path / "inner") == tmp_path / "x"


def test_a_resolved_task_is_the_same_from_everywhere(tmp_path: Path) -> None:
    task = TaskConfig.model_validate(
        {
            "source": {"list": "lists/a.txt", "root": "images"},
            "target": {"path": "b"},
            "test": {"built_in": "handwritten-digits"},
            "validation": {"path": "v"},
        }
    ).resolved(tmp_path)
    assert task.source[0].list == str(tmp_path / "lists/a.txt")
    assert task.source[0].root == str(tmp_path / "images")
    assert (task.target.path, task.target.title) == (str(tmp_path / "b"), "b")
    assert isinstance(task.validation, DatasetConfig)
    assert task.validation.path == str(tmp_path / "v")
    assert task.resolved(Path("/elsewhere")) == task
