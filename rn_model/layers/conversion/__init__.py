"""Replaces the normalization layers of a network."""
