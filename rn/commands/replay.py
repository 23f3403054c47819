"""The command ``rn replay``."""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rn.failing import CommandError, fail, one_line

if TYPE_CHECKING:
    from bundle.loaded import Bundle
    from rn.replaying.steps import Step
    from rn.replaying.stream import Stream
    from service.settings import Settings

Order = Literal["recorded", "shuffled", "by-class"]


def replay(
    bundle: Annotated[Path, typer.Argument(help="Directory of the bundle.")],
    stream: Annotated[
        Path,
        typer.Argument(
            help="Folder of images in the order of their names, or an .npz file with images and, if they"
            " are known, labels."
        ),
    ],
    labels: Annotated[
        Path | None, typer.Option(help="CSV file with columns file and label, for a folder.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per batch.")] = 64,
    change: Annotated[
        list[str] | None,
        typer.Option(
            metavar="START:NAME",
            help="From this image on, change the camera: contrast, dark, bright, noise, blur, junk, or"
            " none. Repeatable.",
        ),
    ] = None,
    order: Annotated[Order, typer.Option(help="Order of the images.")] = "recorded",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the order.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Setting of the service, e.g. commit_every=32. Repeatable.",
        ),
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="JSON file for everything that happened.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Image file for a plot over time.")
    ] = None,
) -> None:
    """Show what the online engine would do with a recorded stream.

    Every batch is predicted by the version that is served, and then posted to adapt to, in this process
    and with a ledger that is removed afterwards. Labels only measure; the engine never sees them.
    """
    from bundle.errors import BundleError
    from bundle.reading.loading import load_bundle
    from rn.commands.serve import load_settings
    from rn.replaying.errors import ReplayError

    # Versions are published unless the settings say otherwise: that is what is to be seen.
    given = {"adaptation": "auto", **_parse(settings or []), "bundle": bundle}
    chosen = load_settings({name: value for name, value in given.items() if _known(name)})
    with one_line(BundleError, ReplayError):
        loaded = load_bundle(bundle)
        opened = _open(stream, loaded, labels, change or [], order, seed)
        steps = _run(opened, loaded, chosen, batch_size)
    _report(steps)
    with one_line(OSError, ValueError):
        if as_json is not None:
            _write(as_json, steps)
        if plot is not None:
            _plot(plot, steps)


def _known(name: str) -> bool:
    from service.settings import Settings

    return name in Settings.model_fields


def _parse(settings: list[str]) -> dict[str, Any]:
    given = {}
    for text in settings:
        name, separator, value = text.partition("=")
        if not separator or not _known(name):
            fail(f"--set takes NAME=VALUE with the NAME of a setting of the service; got {text!r}")
        given[name] = value
    return given


def _open(
    path: Path,
    bundle: "Bundle",
    labels: Path | None,
    changes: list[str],
    order: Order,
    seed: int,
) -> "Stream":
    from rn.replaying.changes import parse_changes
    from rn.replaying.stream import open_stream, reordered

    manifest = bundle.manifest
    stream = open_stream(
        path, manifest.preprocessing, manifest.classes, parse_changes(changes), labels
    )
    return stream if order == "recorded" else reordered(stream, order, seed)


def _run(stream: "Stream", bundle: "Bundle", settings: "Settings", batch_size: int) -> "list[Step]":
    from rich.progress import track

    from rn.replaying.steps import offline_target, replay
    from service.errors import LedgerError
    from service.inference.device import DeviceError

    # What is logged of a target is in the steps, as events.
    logging.getLogger("service").addHandler(logging.NullHandler())
    with one_line(LedgerError, DeviceError), offline_target(bundle, settings) as target:
        steps = replay(stream, target, bundle.manifest.classes, batch_size)
        return list(track(steps, "batches", total=-(-len(stream) // batch_size), transient=True))


def _report(steps: "list[Step]") -> None:
    from rn.replaying.summary import summarize
    from rn.terminal import Column, show_table

    columns = [
        Column("images"),
        Column("camera"),
        Column("accuracy", right=True),
        Column("admitted", right=True),
        Column("versions"),
        Column("happened", folds=True),
    ]
    rows = [
        (
            f"{found.start} to {found.stop - 1}",
            found.change,
            "" if found.accuracy is None else f"{found.accuracy:.1%}",
            str(found.admitted),
            f"{found.first} to {found.last}",
            ", ".join(f"{count} {kind}" for kind, count in found.happened.items()),
        )
        for found in summarize(steps)
    ]
    show_table(columns, rows)


def _write(path: Path, steps: "list[Step]") -> None:
    from bundle.writing.atomic import write_file
    from rn.replaying.summary import summarize

    content = {
        "summary": [asdict(found) for found in summarize(steps)],
        "steps": [step.to_json() for step in steps],
    }
    write_file(path, json.dumps(content, indent=2).encode())


def _plot(path: Path, steps: "list[Step]") -> None:
    from bundle.extras import missing_package
    from rn.replaying.plot import plot_replay

    try:
        plot_replay(steps, path)
    except ModuleNotFoundError as error:
        needed = missing_package(error.name, "train")
        if needed is None:
            raise
        raise CommandError(f"--plot needs {needed}") from error
