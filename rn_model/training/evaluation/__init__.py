"""Measures a network during its training, and decides which is kept."""
