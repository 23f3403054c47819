"""The command ``rn adapt``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from rn_model.digits.experiment import ExperimentConfig, Outcome


class Example(StrEnum):
    """What can be adapted out of the box."""

    digits = "digits"


class ObjectiveName(StrEnum):
    """What unlabeled target images are trained on, beside their statistics."""

    mcc = "mcc"
    cdan = "cdan"
    both = "mcc+cdan"


def adapt(
    example: Annotated[
        Example, typer.Argument(help="Printed digits to handwritten ones.")
    ] = Example.digits,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the run; runs/EXAMPLE if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps of each adaptation.")] = 300,
    source_steps: Annotated[
        int, typer.Option(min=1, help="Optimizer steps on the source alone, before.")
    ] = 400,
    objective: Annotated[
        list[ObjectiveName],
        typer.Option(help="What unlabeled target images are trained on; may be given again."),
    ] = [ObjectiveName.mcc, ObjectiveName.both],  # noqa: B006
    threads: Annotated[int, typer.Option(min=1, help="Of the CPU.")] = 1,
) -> None:
    """Adapt a model from labelled images of one domain to unlabeled ones of another.

    Trains the example with and without Reciprocal Normalization, chooses a model by scores that need
    no target label, and writes it to a directory that `rn export` takes.
    """
    # torch and the data take seconds to import: not before the command runs.
    try:
        import torch
        from rich.console import Console

        from rn_model.checkpoint import check_destination
        from rn_model.digits.experiment import run_experiment
        from rn_model.digits.run import save_outcome
        from rn_model.progress import ProgressLines
    except ModuleNotFoundError as error:
        typer.echo(f"rn adapt: {error}; install reciprocal-norm[train] to adapt models", err=True)
        raise typer.Exit(1) from error

    path = out or Path("runs") / example.value
    console = Console()
    # The networks are small: more threads gain little, and beside other work they wait for one another.
    torch.set_num_threads(threads)
    config = _config(seed, steps, source_steps, objective)
    try:
        check_destination(path)
        console.print("Rendering printed digits (source), reading handwritten ones (target) ...")
        outcome = run_experiment(config, ProgressLines(console).start)
        save_outcome(path, outcome, config)
    except (OSError, ValueError) as error:
        typer.echo(f"rn adapt: {error}", err=True)
        raise typer.Exit(1) from error
    _print(console, outcome)
    console.print(f"Written to {path}", highlight=False, markup=False, soft_wrap=True)


def _print(console: "Console", outcome: "Outcome") -> None:
    from rn_model.results import results_table

    console.print()
    console.print(results_table(outcome.rows, outcome.chosen))
    console.print(
        f"\n* Chosen: {outcome.chosen}, by information and nuclear norm of the predictions on unlabeled"
        " target images, with source accuracy as a floor."
        f"\nTarget accuracy is on the {len(outcome.data.target):,} images that were adapted to."
        " Their labels were used to report it, and for nothing else.",
        highlight=False,
        soft_wrap=True,
    )


def _config(
    seed: int, steps: int, source_steps: int, objective: list[ObjectiveName]
) -> "ExperimentConfig":
    from dataclasses import replace

    from rn_model.digits.experiment import ExperimentConfig

    config = ExperimentConfig().with_seed(seed)
    return replace(
        config,
        training=replace(config.training, steps=steps),
        objectives=tuple(name.value for name in objective),
        source_training=replace(config.source_training, steps=source_steps),
    )
