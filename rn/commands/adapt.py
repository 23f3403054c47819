"""The command ``rn adapt``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from rn_model.training.config import RunConfig
    from rn_model.training.result import Result

_INTERRUPTED = 130


def adapt(
    config: Annotated[
        str, typer.Argument(help="A recipe (printed-digits needs no data) or a YAML file.")
    ] = "printed-digits",
    out: Annotated[
        Path | None, typer.Option(help="Directory of the run; runs/CONFIG if not given.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Labelled domain of a recipe; may be given again.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Domain of a recipe to adapt to.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of a recipe's images.")] = None,
    normalization: Annotated[
        str | None, typer.Option(help="rn, bn, adabn, autodial, dsbn or transnorm.")
    ] = None,
    objective: Annotated[
        list[str] | None, typer.Option(help="Such as mcc; may be given again; none for none.")
    ] = None,
    backbone: Annotated[str | None, typer.Option(help="Such as timm:resnet50.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Pretrained weights, a local file.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps on both domains.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting by its name: training.batch_size=24."),
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Of the CPU; 0 for torch's choice.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where OUT stopped, with the same flags.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check images, settings and network, print them, train nothing."
        ),
    ] = False,
) -> None:
    """Adapt a model from labelled images of one domain to unlabeled ones of another.

    Trains on the source, then on both domains, keeps the network with the best scores that need no
    target label, estimates the target's statistics, and writes a directory that `rn export` takes.
    Several GPUs: `torchrun --nproc-per-node N --no-python rn adapt ...`.
    """
    # torch takes seconds to import: not before the command runs.
    try:
        from rich.console import Console

        from rn_model.training.config_file import load_config
        from rn_model.training.errors import Interrupted, LocalError
    except ModuleNotFoundError as error:
        _fail(f"{error}; install reciprocal-norm[train] to adapt models", error)
    first = os.environ.get("RANK", "0") == "0"
    try:
        overrides = _overrides(
            settings,
            {
                "normalization.kind": normalization,
                "objectives": _objectives(objective),
                "backbone.name": backbone,
                "backbone.weights": None if weights is None else str(weights.absolute()),
                "training.steps": steps,
                "seed": seed,
                "device": device,
            },
        )
        loaded, base = load_config(
            config, sources=source or (), target=target, data=data, overrides=overrides
        )
        path = out or Path("runs") / Path(config).stem
        console = Console()
        if dry_run:
            _describe(loaded, base, console)
            return
        result = _train(
            loaded, base, path, threads, resume, set(overrides), console if first else None
        )
    except (OSError, ValueError) as error:
        _fail(str(error), error, silent=not (first or isinstance(error, LocalError)))
    except Interrupted as error:
        if first:
            typer.echo(f"rn adapt: {error}; go on with --resume", err=True)
        raise typer.Exit(_INTERRUPTED) from error
    except KeyboardInterrupt as error:
        if first:
            typer.echo(
                "rn adapt: stopped at once; --resume goes on at the last checkpoint", err=True
            )
        raise typer.Exit(_INTERRUPTED) from error
    if first:
        _print(console, result, path)


def _train(
    config: "RunConfig",
    base: Path,
    path: Path,
    threads: int,
    resume: bool,
    amended: set[str],
    console: "Console | None",
) -> "Result":
    import torch

    from rn_model.report import write_report
    from rn_model.training.run import train

    if threads:
        torch.set_num_threads(threads)
    result = train(config, path, base=base, resume=resume, amended=amended, console=console)
    if console is not None:
        write_report(path)
    return result


def _describe(config: "RunConfig", base: Path, console: "Console") -> None:
    import yaml

    from rn_model.data import open_task
    from rn_model.layers.domain_norm import domain_norms
    from rn_model.training.context import plan_network

    task = open_task(config.task, config.preprocessing, base=base)
    network = plan_network(config, task, config.normalization, base)
    console.print(
        yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False),
        markup=False,
        end="",
        soft_wrap=True,
    )
    roles = [*(("source", images) for images in task.sources), ("target", task.target)]
    roles += [("validation", task.validation), *([("test", task.test)] if task.test else [])]
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    for line in (
        *(f"left out: {line}" for line in task.skipped),
        *(f"{role} {images.name}: {len(images):,} images" for role, images in roles),
        f"{len(task.classes)} classes: {', '.join(task.classes)}",
        f"{config.backbone.name}: {millions:.1f} million parameters,"
        f" {len(list(domain_norms(network)))} {config.normalization.kind} layers",
    ):
        console.print(f"# {line}", markup=False, highlight=False, soft_wrap=True)


def _print(console: "Console", result: "Result", path: Path) -> None:
    from rn_model.runs.rows import results_table

    console.print(results_table([*([result.before] if result.before else []), result.row()], ""))
    console.print(
        f"\nKept: step {result.chosen_step} of {result.steps}, by information and nuclear norm of the"
        " predictions on unlabeled target images, with source accuracy as a floor."
        "\nTarget labels, where there are any, were used to report accuracy, and for nothing else."
        f"\nWritten to {path}: rn export {path} --out BUNDLE makes a bundle of it, and"
        f" {path / 'report.html'} shows it.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _overrides(settings: list[str] | None, flags: dict[str, Any]) -> dict[str, Any]:
    from rn_model.training.config_file import parse_override

    given = {name: value for name, value in flags.items() if value is not None}
    return given | dict(parse_override(text) for text in settings or ())


def _objectives(names: list[str] | None) -> list[dict[str, str]] | None:
    if names is None:
        return None
    return [{"name": name} for name in names if name != "none"]


def _fail(line: str, error: Exception, *, silent: bool = False) -> "Any":
    if not silent:
        typer.echo(f"rn adapt: {line}", err=True)
    raise typer.Exit(1) from error
