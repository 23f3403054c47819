"""Trains grids of runs (tasks, normalizations, objectives, seeds) and compares them in tables and plots."""
