"""The error for a network that cannot be adapted."""


class NetworkError(ValueError):
    """A network cannot be adapted or served as it is; one line that names the layer."""
