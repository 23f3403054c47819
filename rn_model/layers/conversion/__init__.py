"""Swaps the normalization layers of a network."""
