"""What is raised when images are not what a task says."""


class DataError(ValueError):
    """Images, labels or their description are wrong; one clear line."""

    def __init__(self, message: str) -> None:
        # An error of a loader's worker process comes back with that process's traceback before it.
        lines = message.strip().splitlines() or [""]
        super().__init__(lines[-1].removeprefix(f"{__name__}.{type(self).__name__}: "))


class UnreadableImage(DataError):
    """A file that is there is no image, or a broken one."""
