"""A comparison from beginning to end: plan, train what is missing, write tables and plots."""

from pathlib import Path

from rich.console import Console

from bundle.writing.atomic import write_file
from rn_model.compare.config import GridConfig
from rn_model.compare.execution import Options, run_jobs, select
from rn_model.compare.findings.plots import write_plots
from rn_model.compare.findings.results import CSV, Finding, collect, write_csv
from rn_model.compare.findings.tables import Tables, as_markdown, make_tables
from rn_model.compare.folder import claim_folder
from rn_model.compare.jobs import check_jobs, plan_jobs
from rn_model.training.errors import TrainingError

TABLE = "table.md"
_DEFAULTS = Options()


def train_grid(
    grid: GridConfig,
    out: Path,
    *,
    base: Path = Path(),
    data: Path | None = None,
    only: str = "",
    options: Options = _DEFAULTS,
    console: Console,
) -> None:
    """Train the runs of a grid that are not finished.

    Args:
        grid: what to train.
        out: folder of the runs, new or of the same grid; tasks, seeds, rows and columns may be added
            to a grid, and what is there stays.
        base: folder that relative paths of the grid begin at.
        data: folder of the recipes' images.
        only: part of the path TASK/NORMALIZATION/OBJECTIVE/seed-K of those to train.
        options: how.
        console: where progress is shown.

    Raises:
        ValueError: in one line, before anything is trained, if any run is not configured right.
        Interrupted: if SIGINT or SIGTERM came; calling this again goes on.
    """
    jobs = select(plan_jobs(grid, out, base=base, data=data), only)
    if not jobs:
        raise TrainingError(
            f"no run of the grid has {only!r} in its path TASK/NORMALIZATION/OBJECTIVE/seed-K"
        )
    check_jobs(jobs, out)
    claim_folder(out, grid)
    run_jobs(jobs, out, options, console)


def summarize(grid: GridConfig, out: Path) -> tuple[list[Finding], Tables]:
    """Write table, plots and a row for each run, from what is there.

    Raises:
        TrainingError: if the folder is missing.
        ValueError: if a result is damaged.
    """
    if not out.is_dir():
        raise TrainingError(f"there is no folder {out}")
    findings = collect(grid, out)
    tables = make_tables(grid, findings)
    write_csv(findings, out / CSV)
    write_file(out / TABLE, as_markdown(tables).encode())
    write_plots(grid, findings, out)
    return findings, tables
