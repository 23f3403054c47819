"""The artifact that learning writes and serving reads."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bundle.errors import BundleError
    from bundle.loaded import Bundle
    from bundle.manifest import Manifest
    from bundle.preprocessing import Pixels, Preprocessing
    from bundle.reading.loading import load_bundle

__all__ = ["Bundle", "BundleError", "Manifest", "Pixels", "Preprocessing", "load_bundle"]

# Some libraries report to their makers unless a variable says no before they are imported. Every package of
# this project imports this one first, and the processes that it starts inherit the variables.
NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
os.environ.update(NO_TELEMETRY)

_MODULES = {
    "Bundle": "loaded",
    "BundleError": "errors",
    "Manifest": "manifest",
    "Pixels": "preprocessing",
    "Preprocessing": "preprocessing",
    "load_bundle": "reading.loading",
}


def __getattr__(name: str) -> Any:
    # Loading a bundle needs ONNX Runtime; a bundle's text and errors must be importable without it.
    if name in _MODULES:
        return getattr(import_module(f"bundle.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'bundle' has no attribute {name!r}")
