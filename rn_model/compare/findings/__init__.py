"""Findings of a grid: results of its runs, statistics, tables and plots."""
