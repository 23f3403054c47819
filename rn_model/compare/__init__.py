"""Comparison of runs over a grid of tasks, normalizations, objectives and seeds, in tables and plots."""
