from pathlib import Path

import pytest

from export import ExportError
from export.layouts import LayoutName, Predictor, check_layout, read_predictor, write_layout
from export.layouts.triton import CONFIG

LAYOUTS: tuple[LayoutName, ...] = ("onnx", "triton", "mlflow")


@pytest.fixture(scope="module")
def predictor(full_bundle: Path) -> Predictor:
    return read_predictor(full_bundle)


def place(layout: LayoutName, folder: Path) -> Path:
    return folder / ("a.onnx" if layout == "onnx" else "a")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_existing_layout_is_replaced_only_if_allowed(
    layout: LayoutName, predictor: Predictor, tmp_path: Path
) -> None:
    path = place(layout, tmp_path)
    made = write_layout(layout, predictor, path)
    with pytest.raises(ExportError, match="already exists: choose another path or allow"):
        write_layout(layout, predictor, path)
    graph = made if layout == "onnx" else next(made.rglob("model.onnx"))
    graph.write_bytes(b"old")
    assert write_layout(layout, predictor, path, replace=True) == made
    graph = made if layout == "onnx" else next(made.rglob("model.onnx"))
    assert graph.read_bytes() != b"old"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_something_else_is_not_replaced(
    layout: LayoutName, predictor: Predictor, tmp_path: Path
) -> None:
    path = place(layout, tmp_path)
    kept = path / predictor.manifest.name if layout == "triton" else path
    (kept / "thesis").mkdir(parents=True)
    with pytest.raises(ExportError, match="and will not be replaced: choose another path"):
        write_layout(layout, predictor, path, replace=True)
    assert (kept / "thesis").is_dir()


@pytest.mark.parametrize("layout", ["triton", "mlflow"])
def test_a_file_is_not_a_directory(layout: LayoutName, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="is a file: name a directory"):
        check_layout(layout, tmp_path / "file", "a", replace=True)


def test_other_models_of_a_repository_stay(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / CONFIG).touch()
    made = write_layout("triton", predictor, tmp_path)
    assert made == tmp_path / predictor.manifest.name
    write_layout("triton", predictor, tmp_path, replace=True)
    assert (tmp_path / "other" / CONFIG).is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"other", predictor.manifest.name}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_disk_that_cannot_be_written_leaves_nothing(
    layout: LayoutName, predictor: Predictor, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_layout(layout, predictor, place(layout, tmp_path / "file"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
