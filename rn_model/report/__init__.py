"""The report of a training run: one page for people, readable without a network."""

from pathlib import Path


def write_report(run: Path) -> Path:
    """Write ``report.html`` into a run's directory, whole or not at all; an earlier one is replaced.

    What the run does not have (yet) is named on the page.

    Args:
        run: directory of a run, finished or not.

    Returns:
        The path of the page.

    Raises:
        ValueError: if ``run`` is not the directory of a run.
        OSError: if a file cannot be read or written.
    """
    # matplotlib and scikit-learn take seconds to import: not before a page is made.
    from rn_model.report.page import write

    return write(run)
