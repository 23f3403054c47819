"""Folds the scale and shift of every normalization into a layer beside it."""
