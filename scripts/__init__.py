"""Writes the pages of docs/ that are generated from the code."""

import bundle  # noqa: F401 - switches the telemetry of libraries off before any of them is imported
