"""Saved runs: their record, their table of results, and the choice among them without target labels."""
