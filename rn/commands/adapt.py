"""The command ``rn adapt``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from bundle.text import describe_error
from rn.commands.dry_run import describe_run
from rn.failing import INTERRUPTED, CommandError
from rn.options import adapt as options
from rn.options.common import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from rn_model.training.config import RunConfig
    from rn_model.training.result import Result


def adapt(
    config: options.Config = "printed-digits",
    out: options.Out = None,
    source: options.Source = None,
    target: options.Target = None,
    data: options.Data = None,
    normalization: options.Normalization = None,
    objective: options.Objective = None,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    steps: options.Steps = None,
    seed: options.Seed = None,
    device: options.Device = None,
    settings: Settings = None,
    threads: options.Threads = 0,
    resume: options.Resume = False,
    dry_run: options.DryRun = False,
    verbose: options.Verbose = False,
) -> None:
    """Train a model that is adapted to a target domain.

    Trains on labelled source images, then on both domains, keeps the network with the best
    label-free scores, estimates the target's statistics, and writes a run directory for `rn export`.
    Several GPUs: `torchrun --nproc-per-node N --no-python rn adapt ...`.
    """
    # torch takes seconds to import: not before the command runs.
    from rich.console import Console

    from rn_model.training.config_file import load_config
    from rn_model.training.errors import Interrupted, LocalError

    first = os.environ.get("RANK", "0") == "0"
    try:
        overrides = _overrides(
            settings,
            {
                "normalization.kind": normalization,
                "objectives": _objectives(objective),
                "backbone.name": None if backbone is None else _from_here(backbone),
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
            describe_run(loaded, base, console, verbose=verbose)
            return
        result = _train(
            loaded, base, path, threads, resume, set(overrides), console if first else None
        )
    except (OSError, ValueError) as error:
        _end(describe_error(error), 1, error, speaks=first or isinstance(error, LocalError))
    except Interrupted as error:
        _end(f"{error}; continue with --resume", INTERRUPTED, error, speaks=first)
    except KeyboardInterrupt as error:
        line = "stopped at once; --resume continues from the last checkpoint"
        _end(line, INTERRUPTED, error, speaks=first)
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


def _print(console: "Console", result: "Result", path: Path) -> None:
    from rn_model.runs.rows import results_table

    before = [result.before] if result.before and result.before.name != result.kept else []
    console.print(results_table([*before, result.row()], ""))
    shares = result.class_shares
    warning = shares and shares.warning(result.classes)
    labels = "Other target" if result.probe else "Target"
    lines = [_selection(result), f"{labels} labels (if any) were used only to report accuracy."]
    lines += [f"Warning: {warning}"] if warning else []
    lines.append(
        f"Written to {path}; see {path / 'report.html'}. To make a bundle of it:"
        f" rn export {path} --out BUNDLE"
    )
    console.print(
        "\n" + "\n".join(lines),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _selection(result: "Result") -> str:
    kept = f"Kept step {result.chosen_step} of {result.steps}"
    if result.chosen_step == 0:
        statistics = (
            "statistics of the target" if result.target_statistics else "its own statistics"
        )
        kept = f"The adaptation was not used. Kept the source-only network with {statistics}"
    if result.probe is not None:
        return (
            f"{kept}, selected by the labelled target images of the probe: {result.probe} correct."
        )
    return (
        f"{kept}, selected by information and nuclear norm of the predictions on unlabelled target images,"
        " with source accuracy as a floor."
    )


def _overrides(settings: list[str] | None, flags: dict[str, Any]) -> dict[str, Any]:
    from rn_model.training.overrides import parse_override

    given = {name: value for name, value in flags.items() if value is not None}
    return given | dict(parse_override(text) for text in settings or ())


def _from_here(backbone: str) -> str:
    """A backbone whose relative path starts from the current folder, not from the configuration's."""
    from pydantic import ValidationError

    from rn_model.backbones import BackboneConfig

    try:
        return BackboneConfig(name=backbone).within(Path.cwd()).name
    except ValidationError:
        return backbone  # the whole configuration is checked, and described, later


def _objectives(names: list[str] | None) -> list[dict[str, str]] | None:
    if names is None:
        return None
    return [{"name": name} for name in names if name != "none"]


def _end(line: str, status: int, error: BaseException, *, speaks: bool) -> NoReturn:
    # Only one process reports what all processes of a training have in common.
    if speaks:
        raise CommandError(line, status) from error
    raise typer.Exit(status) from error
