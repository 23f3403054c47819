"""Summaries of bundles, and their differences."""
