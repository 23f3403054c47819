from pathlib import Path

import pytest

from rn_model.data import TaskConfig
from rn_model.data.notes import folder_notes, similar_names
from tests.rn_model.data.pictures import class_folders, flat_folder


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("Dog", "dog"), [("Dog", "dog")]),
        (("guinea pig", "guinea_pig", "Guinea-Pig"), [("guinea pig", "guinea_pig", "Guinea-Pig")]),
        (("caf\u00e9", "cafe\u0301"), [("caf\u00e9", "cafe\u0301")]),
        (("dog", "dogs", "0", "1"), []),
    ],
)
def test_names_that_look_alike(names: tuple[str, ...], found: list[tuple[str, ...]]) -> None:
    assert similar_names(names) == found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    class_folders(tmp_path / "source", {"a": 2, "b": 2})
    class_folders(tmp_path / "test", {"b": 2})
    flat_folder(tmp_path / "target", 2)
    return tmp_path


def notes(base: Path, **config: object) -> list[str]:
    given = {"source": {"path": "source"}, "target": {"path": "target"}, **config}
    return list(folder_notes(TaskConfig.model_validate(given), ["a", "b"], base))


def test_a_folder_of_labelled_images_that_is_not_used(data: Path) -> None:
    (line,) = notes(data)
    assert line.startswith(f"{data / 'test'} is not used: ")
    assert not notes(data, test={"path": "test"})
    assert not notes(data, validation={"path": "test"})
    (data / "test" / "b").rename(data / "test" / "other")
    assert not notes(data)
