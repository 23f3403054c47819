"""What is raised when a bundle cannot be trusted or read."""

from bundle.text import printable, single_line


class BundleError(ValueError):
    """A bundle that is missing, damaged, or not of a kind that this version reads; one clear line."""

    def __init__(self, message: str) -> None:
        # What other libraries and a foreign manifest say, and this passes on, may have several, and more.
        super().__init__(printable(single_line(message)))
