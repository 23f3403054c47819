"""The HTML report of a training run: a single self-contained page."""

from pathlib import Path


def write_report(run: Path) -> Path:
    """Write ``report.html`` into the directory of a run, atomically; an earlier report is replaced.

    The page lists files of the run that are missing or cannot be read.

    Args:
        run: directory of a run, finished or not.

    Returns:
        The path of the report.

    Raises:
        ValueError: if ``run`` is not the directory of a run.
        OSError: if a file cannot be read or written.
    """
    # matplotlib and scikit-learn take seconds to import, so they are imported only when needed.
    from rn_model.report.page import write

    return write(run)
