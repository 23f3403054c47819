"""Layouts of the predictor for programs that cannot read bundles; nothing here needs torch."""

from export.layouts.predictor import Predictor, read_predictor, select_predictor
from export.layouts.writing import LayoutName, check_layout, write_layout

__all__ = [
    "LayoutName",
    "Predictor",
    "check_layout",
    "read_predictor",
    "select_predictor",
    "write_layout",
]
