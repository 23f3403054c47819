"""Writes a layout: whole or not at all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bundle.files import MANIFEST
from bundle.writing.atomic import write_directory, write_file
from export.errors import ExportError
from export.layouts import mlflow_model, triton
from export.layouts.predictor import Predictor

LayoutName = Literal["onnx", "triton", "mlflow"]

SUFFIX = ".onnx"


@dataclass(frozen=True)
class _Directory:
    """A layout that is a directory.

    Attributes:
        title: what it is called.
        marker: the file by which it is known.
        contents: its files by name.
        nested: whether it is made inside the given directory, under the model's name.
        check: raises if it cannot be made here.
    """

    title: str
    marker: str
    contents: Callable[[Predictor], Mapping[str, bytes]]
    nested: bool = False
    check: Callable[[], None] = lambda: None


_DIRECTORIES = {
    "triton": _Directory("a Triton model", triton.CONFIG, triton.contents, nested=True),
    "mlflow": _Directory(
        "an MLflow model", mlflow_model.MARKER, mlflow_model.contents, check=mlflow_model.check
    ),
}


def check_layout(layout: LayoutName, path: Path, name: str, *, replace: bool) -> Path:
    """Refuse what :func:`write_layout` would not write.

    Args:
        layout: its name.
        path: the file ``.onnx``; the Triton model repository; the directory of the MLflow model.
        name: of the model.
        replace: whether the same model, in the same layout, may be replaced.

    Returns:
        What would be made: ``path``, or the model's directory in the repository.

    Raises:
        ExportError: if the path is taken or unfit, or a package is missing.
    """
    if layout == "onnx":
        if path.suffix != SUFFIX:
            raise ExportError(f"{path} does not end in {SUFFIX}: give the file to write")
        return _check_place(path, path.is_file(), "a file", replace=replace)
    kind = _DIRECTORIES[layout]
    kind.check()
    if path.exists() and not path.is_dir():
        raise ExportError(f"{path} is a file: give a directory")
    if (path / MANIFEST).is_file():
        raise ExportError(f"{path} is a bundle: choose another path")
    place = path / name if kind.nested else path
    return _check_place(place, (place / kind.marker).is_file(), kind.title, replace=replace)


def write_layout(
    layout: LayoutName, predictor: Predictor, path: Path, *, replace: bool = False
) -> Path:
    """Write a predictor in a layout.

    A Triton model is added to the repository: other models that are there stay as they are.

    Args:
        layout, path, replace: as :func:`check_layout` takes them.
        predictor: the graph.

    Returns:
        What was made.

    Raises:
        ExportError: if the path is taken or unfit, a package is missing, or the layout cannot
            express the model.
        OSError: if it cannot be written; what was there before is there again.
    """
    place = check_layout(layout, path, predictor.manifest.name, replace=replace)
    if layout == "onnx":
        place.parent.mkdir(parents=True, exist_ok=True)
        write_file(place, predictor.content)
    else:
        write_directory(place, _DIRECTORIES[layout].contents(predictor))
    return place


def _check_place(place: Path, known: bool, title: str, *, replace: bool) -> Path:
    if place.exists() and not replace:
        raise ExportError(f"{place} already exists: choose another path, or allow replacing it")
    if place.exists() and not known:
        raise ExportError(f"{place} is not {title}, so it is not replaced: choose another path")
    return place
