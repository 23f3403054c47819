"""The command ``rn doctor``."""

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bundle.errors import BundleError
from bundle.extras import missing_package
from service.vocabulary import Device

if TYPE_CHECKING:
    from rn.commands.checkup.finding import Finding


def doctor(
    bundle: Annotated[Path | None, typer.Option(help="Bundle to verify.")] = None,
    device: Annotated[Device, typer.Option(help="Device that the service will run on.")] = "cpu",
    ledger: Annotated[
        str | None, typer.Option(help="Database URL of the ledger. Default: RN_LEDGER.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address that the service listens on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port that the service listens on.")] = None,
) -> None:
    """Check the installation.

    Exits with status 1 if a required component is missing or broken.
    """
    failed = False
    given = {"ledger": ledger, "host": host, "port": port}
    for finding in _findings(bundle, device, given):
        mark = {True: "ok   ", False: "FAIL ", None: "     "}[finding.good]
        typer.echo(f"{mark}{finding.text}")
        failed = failed or finding.good is False
    raise typer.Exit(1 if failed else 0)


def _findings(bundle: Path | None, device: Device, given: dict[str, Any]) -> "Iterator[Finding]":
    from rn.commands.checkup import packages, runtime
    from rn.commands.checkup.finding import Finding

    yield Finding(None, f"Python {platform.python_version()}")
    works = True
    for finding in runtime.runtime(device):
        works = works and finding.good is not False
        yield finding
    if bundle is not None and works:
        yield _bundle(bundle)
    yield from packages.extras()
    yield from _serving(given)


def _serving(given: dict[str, Any]) -> "Iterator[Finding]":
    """Findings on the ledger and the port, as flags or the environment name them."""
    from rn.commands.checkup import serving
    from rn.commands.checkup.finding import Finding
    from rn.commands.serve import load_settings
    from rn.failing import CommandError

    try:
        # The bundle has a check of its own.
        chosen = {name: value for name, value in given.items() if value is not None}
        settings = load_settings({"bundle": Path(), **chosen})
        yield from serving.ledger(settings.ledger)
        if settings.port:
            yield serving.port(settings.host, settings.port)
    except CommandError as error:
        yield Finding(False, str(error))
    except ModuleNotFoundError as error:
        if missing_package(error.name) is None:
            raise
        # The extra is reported as missing already.


def _bundle(path: Path) -> "Finding":
    from bundle.reading.loading import load_bundle
    from rn.commands.checkup.finding import Finding

    try:
        loaded = load_bundle(path)
    except BundleError as error:
        return Finding(False, f"bundle {path}: {error}")
    manifest = loaded.manifest
    return Finding(
        True,
        f"bundle {path}: {manifest.name}, {len(manifest.classes)} classes, {len(manifest.sites)} sites,"
        f" {loaded.fingerprint[:12]}",
    )
