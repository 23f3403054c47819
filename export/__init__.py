"""Folds an adapted model into static ONNX graphs and writes them as a bundle."""

from export.exporting import BundleInfo, export_bundle
from export.sites import ExportError

__all__ = ["BundleInfo", "ExportError", "export_bundle"]
