"""The layout of an MLflow model with the ONNX flavor."""

import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from bundle.extras import install_command
from bundle.manifest import Manifest
from export.errors import ExportError
from export.layouts.predictor import Predictor

MARKER = "MLmodel"

_NEEDED = ("mlflow", "pandas", "onnxruntime")


def check() -> None:
    """Check that MLflow is installed.

    Raises:
        ExportError: naming what to install.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ExportError(
            f"the layout mlflow needs {' and '.join(missing)}: {install_command('cpu', 'mlflow')}"
        )


def contents(predictor: Predictor) -> dict[str, bytes]:
    """Content of the model's files, by path. MLflow writes a new identifier and the time into them."""
    # MLflow sends usage data to its developers unless this is set.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # MLflow warns about its own internals.
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model"
        _save(predictor, path)
        return {
            str(file.relative_to(path)): file.read_bytes()
            for file in sorted(path.rglob("*"))
            if file.is_file()
        }


def _save(predictor: Predictor, path: Path) -> None:
    import mlflow.onnx
    import onnxruntime
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    manifest = predictor.manifest
    image = TensorSpec(np.dtype(np.uint8), (-1, *predictor.image_dims), "image")
    logits = TensorSpec(np.dtype(np.float32), (-1, len(manifest.classes)), "logits")
    mlflow.onnx.save_model(
        onnx.load_model_from_string(predictor.content),
        path,
        signature=ModelSignature(Schema([image]), Schema([logits])),
        input_example={"image": predictor.example},
        pip_requirements=[f"{m.__name__}=={m.__version__}" for m in (onnx, onnxruntime)],
        metadata=_metadata(manifest),
        save_as_external_data=False,
    )


def _metadata(manifest: Manifest) -> dict[str, object]:
    return {
        "name": manifest.name,
        "classes": list(manifest.classes),
        "preprocessing": manifest.preprocessing.model_dump(mode="json"),
    }
