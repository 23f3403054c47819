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
        title: its name in messages, with an article.
        marker: name of the file by which such a directory is recognized.
        contents: returns the content of its files by path.
        nested: whether it is made inside the given directory, under the name of the model.
        check: raises :class:`ExportError` if a required package is missing.
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
    """Check that :func:`write_layout` would write to a path.

    Args:
        layout: name of the layout.
        path: the ``.onnx`` file, the Triton model repository, or the directory of the MLflow model.
        name: name of the model.
        replace: whether an existing model in the same layout may be replaced.

    Returns:
        What would be written: ``path``, or the directory of the model in the repository.

    Raises:
        ExportError: if the path exists or is unsuitable, or a package is missing.
    """
    if layout == "onnx":
        if path.suffix != SUFFIX:
            raise ExportError(f"{path} does not end in {SUFFIX}: name the file to write")
        return _check_destination(path, path.is_file(), "a file", replace=replace)
    kind = _DIRECTORIES[layout]
    kind.check()
    if path.exists() and not path.is_dir():
        raise ExportError(f"{path} is a file: name a directory")
    if (path / MANIFEST).is_file():
        raise ExportError(f"{path} is a bundle: choose another path")
    destination = path / name if kind.nested else path
    known = (destination / kind.marker).is_file()
    return _check_destination(destination, known, kind.title, replace=replace)


def write_layout(
    layout: LayoutName, predictor: Predictor, path: Path, *, replace: bool = False
) -> Path:
    """Write a predictor in a layout.

    A Triton model is added to the repository: other models in it stay as they are.

    Args:
        layout, path, replace: see :func:`check_layout`.
        predictor: predictor to write.

    Returns:
        Path of what was written.

    Raises:
        ExportError: if the path exists or is unsuitable, a package is missing, or the layout cannot
            express the model.
        OSError: if the layout cannot be written; an existing one is then restored.
    """
    destination = check_layout(layout, path, predictor.manifest.name, replace=replace)
    if layout == "onnx":
        destination.parent.mkdir(parents=True, exist_ok=True)
        write_file(destination, predictor.content)
    else:
        write_directory(destination, _DIRECTORIES[layout].contents(predictor))
    return destination


def _check_destination(path: Path, known: bool, title: str, *, replace: bool) -> Path:
    if path.exists() and not replace:
        raise ExportError(f"{path} already exists: choose another path or allow replacing it")
    if path.exists() and not known:
        raise ExportError(f"{path} is not {title} and will not be replaced: choose another path")
    return path
