"""Folds an adapted model into static ONNX graphs and writes them as a bundle."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import bundle  # noqa: F401 - switches the telemetry of libraries off before any of them is imported
from export.errors import ExportError

if TYPE_CHECKING:
    from export.bundle_info import BundleInfo
    from export.exporter import export_bundle
    from export.pretrained import export_pretrained

__all__ = ["BundleInfo", "ExportError", "export_bundle", "export_pretrained"]

_MODULES = {
    "BundleInfo": "bundle_info",
    "export_bundle": "exporter",
    "export_pretrained": "pretrained",
}


def __getattr__(name: str) -> Any:
    # Layouts are made without torch, so the package must be importable without it.
    if name in _MODULES:
        return getattr(import_module(f"export.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'export' has no attribute {name!r}")
