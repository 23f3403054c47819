"""What is raised when a bundle cannot be trusted or read."""


class BundleError(ValueError):
    """A bundle that is missing, damaged, or not of a kind that this version reads; one clear line."""
