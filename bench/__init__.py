"""Measurements, run as ``python -m bench.<name>``."""
