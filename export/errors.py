"""The error for networks that cannot be exported as requested."""


class ExportError(ValueError):
    """A network cannot be exported, or its export would not be faithful; one clear line."""
