"""Serves a bundle over HTTP and adapts it online; nothing here needs torch."""

import bundle  # noqa: F401 - switches the telemetry of libraries off before any of them is imported
