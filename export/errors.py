"""What is raised when a network cannot become what was asked for."""


class ExportError(ValueError):
    """A network that cannot be exported, or an export that is not faithful; one clear line."""
