"""Measures everything that a GPU does in this project: ``python -m bench.gpu --out gpu.json``."""
