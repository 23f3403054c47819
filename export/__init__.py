"""Folds an adapted model into static ONNX graphs and writes them as a bundle."""

from typing import TYPE_CHECKING, Any

from export.errors import ExportError

if TYPE_CHECKING:
    from export.exporter import BundleInfo, export_bundle

__all__ = ["BundleInfo", "ExportError", "export_bundle"]


def __getattr__(name: str) -> Any:
    # Layouts are made without torch, so the package must be importable without it.
    if name in __all__:
        from export import exporter

        return getattr(exporter, name)
    raise AttributeError(f"module 'export' has no attribute {name!r}")
