"""The command ``rn compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rn_model.compare.config import GridConfig

_INTERRUPTED = 130


def compare(
    grid: Annotated[str, typer.Argument(help="A grid that comes with it, or a YAML file.")],
    out: Annotated[Path, typer.Option(help="Directory of the runs, the tables and the plots.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the recipes' images.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once, with a CPU thread each.")] = 1,
    only: Annotated[
        str, typer.Option(help="Part of TASK/NORMALIZATION/OBJECTIVE/seed-K of those to train.")
    ] = "",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="So many, from 0, in the place of the grid's.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="For all runs: training.steps=300.")
    ] = None,
    table: Annotated[
        bool, typer.Option("--table", help="Train nothing: show what is there.")
    ] = False,
    reports: Annotated[bool, typer.Option("--reports", help="A page for each run.")] = False,
    keep_checkpoints: Annotated[
        bool, typer.Option("--keep-checkpoints", help="Also of finished runs.")
    ] = False,
) -> None:
    """Compare normalizations and objectives over tasks and seeds, and resume where it stopped.

    Every run of the grid that is not finished is trained; the training on the source is shared by all
    runs of a task and seed. Then tables and plots are written into the directory.
    """
    # torch takes seconds to import: not before the command runs.
    try:
        from rich.console import Console

        from rn_model.compare.comparison import summarize, train_grid
        from rn_model.compare.execution import Options
        from rn_model.compare.findings.tables import print_tables
        from rn_model.training.errors import Interrupted
    except ModuleNotFoundError as error:
        _fail(f"{error}; install reciprocal-norm[train] to compare", error)
    console = Console()
    try:
        config, base = _load(grid, seeds, settings)
        if not table:
            options = Options(jobs, reports, keep_checkpoints)
            train_grid(
                config, out, base=base, data=data, only=only, options=options, console=console
            )
        findings, tables = summarize(config, out)
    except (OSError, ValueError) as error:
        _fail(" ".join(str(error).split()), error)
    except (Interrupted, KeyboardInterrupt) as error:
        line = str(error) or "stopped at once"
        typer.echo(f"rn compare: {line}; the same command goes on", err=True)
        raise typer.Exit(_INTERRUPTED) from error
    print_tables(tables, console)
    console.print(
        f"Written to {out}: table.md, results.csv and plots.", markup=False, highlight=False
    )
    failed = sum(finding.status == "failed" and only in finding.key.path for finding in findings)
    if failed and not table:
        _fail(f"{failed} runs failed; the same command tries them again", None)


def _load(name: str, seeds: int | None, settings: list[str] | None) -> "tuple[GridConfig, Path]":
    from rn_model.compare.grid_file import load_grid
    from rn_model.training.config_file import parse_override

    grid, base = load_grid(name)
    changes: dict[str, Any] = {}
    if seeds is not None:
        changes["seeds"] = tuple(range(seeds))
    if settings:
        changes["set"] = {**grid.set, **dict(parse_override(text) for text in settings)}
    return grid.model_copy(update=changes), base


def _fail(line: str, error: Exception | None) -> Any:
    typer.echo(f"rn compare: {line}", err=True)
    raise typer.Exit(1) from error
