"""What is raised when a stream cannot be replayed."""


class ReplayError(Exception):
    """The stream, or what is said of it, cannot be used; one clear line."""
