"""The error for bundles that are invalid or cannot be read."""

from bundle.text import printable, single_line


class BundleError(ValueError):
    """A bundle is missing, damaged or invalid, or has an unsupported schema version; one clear line."""

    def __init__(self, message: str) -> None:
        # A message may quote other libraries or an untrusted manifest, line breaks and all.
        super().__init__(printable(single_line(message)))
