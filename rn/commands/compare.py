"""The command ``rn compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rn.failing import INTERRUPTED, CommandError, fail, one_line
from rn.options.common import Settings

if TYPE_CHECKING:
    from rn_model.compare.config import GridConfig


def compare(
    grid: Annotated[str, typer.Argument(help="A built-in grid or a YAML file.")],
    out: Annotated[Path, typer.Option(help="Directory of the runs, the tables and the plots.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the recipes' images.")] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Number of parallel runs (one CPU thread each).")
    ] = 1,
    only: Annotated[
        str,
        typer.Option(
            help="Train only runs whose path TASK/NORMALIZATION/OBJECTIVE/seed-K contains this text."
        ),
    ] = "",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Use seeds 0..N-1 instead of the grid's.")
    ] = None,
    settings: Settings = None,
    table: Annotated[
        bool, typer.Option("--table", help="Train nothing: print the existing results.")
    ] = False,
    reports: Annotated[
        bool, typer.Option("--reports", help="Write an HTML report of each run.")
    ] = False,
    keep_checkpoints: Annotated[
        bool, typer.Option("--keep-checkpoints", help="Keep checkpoints of finished runs too.")
    ] = False,
) -> None:
    """Train a grid of normalizations and objectives; tabulate it.

    Trains every run of the grid that is not finished; all runs of a task and seed share the training on
    the source. Then writes tables and plots into OUT. The same command resumes an interrupted grid.
    """
    # torch takes seconds to import: not before the command runs.
    from rich.console import Console

    from rn_model.compare.comparison import summarize, train_grid
    from rn_model.compare.execution import Options
    from rn_model.compare.findings.tables import print_tables
    from rn_model.training.errors import Interrupted

    console = Console()
    try:
        with one_line(OSError, ValueError):
            config, base = _load(grid, seeds, settings)
            if not table:
                options = Options(jobs, reports, keep_checkpoints)
                train_grid(
                    config, out, base=base, data=data, only=only, options=options, console=console
                )
            findings, tables = summarize(config, out)
    except (Interrupted, KeyboardInterrupt) as error:
        line = str(error) or "stopped at once"
        raise CommandError(f"{line}; run the same command to resume", INTERRUPTED) from error
    print_tables(tables, console)
    console.print(
        f"Written to {out}: table.md, results.csv and plots.", markup=False, highlight=False
    )
    failed = sum(finding.status == "failed" and only in finding.key.path for finding in findings)
    if failed and not table:
        fail(f"{failed} runs failed; run the same command to try them again")


def _load(name: str, seeds: int | None, settings: list[str] | None) -> "tuple[GridConfig, Path]":
    from rn_model.compare.grid_file import load_grid
    from rn_model.training.overrides import parse_override

    grid, base = load_grid(name)
    changes: dict[str, Any] = {}
    if seeds is not None:
        changes["seeds"] = tuple(range(seeds))
    if settings:
        changes["set"] = {**grid.set, **dict(parse_override(text) for text in settings)}
    return grid.model_copy(update=changes), base
