"""A comparison from beginning to end: plan, train the missing runs, write tables and plots."""

from pathlib import Path

from rich.console import Console

from bundle.writing.atomic import write_file
from rn_model.compare.config import GridConfig
from rn_model.compare.execution import Options, run_jobs, select
from rn_model.compare.findings.agreement import with_agreement
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
    """Train the unfinished runs of a grid.

    Args:
        grid: grid of runs.
        out: directory of the comparison, new or of the same grid. Tasks, normalizations, objectives
            and seeds may have been added to the grid since; finished runs are kept.
        base: folder that relative paths of the grid start from.
        data: folder of the images of recipes.
        only: text that the path TASK/NORMALIZATION/OBJECTIVE/seed-K of a run must contain.
        options: number of processes, reports and checkpoints.
        console: terminal for progress.

    Raises:
        ValueError: before anything is trained, if the configuration of any run is invalid.
        Interrupted: if SIGINT or SIGTERM arrived; calling this again continues.
    """
    jobs = select(plan_jobs(grid, out, base=base, data=data), only)
    if not jobs:
        raise TrainingError(
            f"no run of the grid contains {only!r} in its path TASK/NORMALIZATION/OBJECTIVE/seed-K"
        )
    check_jobs(jobs, out)
    claim_folder(out, grid)
    run_jobs(jobs, out, options, console)


def summarize(grid: GridConfig, out: Path) -> tuple[list[Finding], Tables]:
    """Write tables, plots and a CSV file from the runs that are finished so far.

    Raises:
        TrainingError: if the directory is missing.
        ValueError: if a result is damaged.
    """
    if not out.is_dir():
        raise TrainingError(f"folder not found: {out}")
    findings = with_agreement(collect(grid, out), out)
    tables = make_tables(grid, findings)
    write_csv(findings, out / CSV)
    write_file(out / TABLE, as_markdown(tables).encode())
    write_plots(grid, findings, out)
    return findings, tables
