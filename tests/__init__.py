import bundle  # noqa: F401 - switches the telemetry of libraries off before any of them is imported
