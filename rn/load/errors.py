"""What is raised when a load cannot be put on a server."""


class LoadError(Exception):
    """The load cannot be made; the message says why and what would be right."""
