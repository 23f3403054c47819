"""The command ``rn serve``."""

import logging
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bundle.errors import BundleError
from rn.failing import fail, one_line
from rn.termination import exit_cleanly
from service.vocabulary import Device

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.settings import Settings


def serve(
    bundle: Annotated[
        Path | None, typer.Argument(help="Directory of the bundle. Default: RN_BUNDLE.")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(help="Directory of more models, one bundle per folder. Default: RN_MODELS."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    ledger: Annotated[str | None, typer.Option(help="Database URL of the ledger.")] = None,
    device: Annotated[Device | None, typer.Option(help="Device to run on.")] = None,
) -> None:
    """Serve a bundle over HTTP, and adapt it online.

    POST images to /predict to label them, and unlabelled images of the target to /adapt. Every setting of
    the service can also be given in the environment, with the prefix RN_.
    """
    from service.errors import LedgerError, ModelNotLoaded
    from service.inference.device import DeviceError
    from service.models.examples import ExamplesError
    from service.monitoring.logs import configure_logging, log_event
    from service.security.keys import KeysError

    given = {
        "bundle": bundle,
        "models": models,
        "host": host,
        "port": port,
        "ledger": ledger,
        "device": device,
    }
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    configure_logging(settings.log_format, settings.log_level)
    errors = KeysError, BundleError, LedgerError, ModelNotLoaded, DeviceError, ExamplesError
    with one_line(*errors):
        app = _create_app(settings)
    from service.server.listening import AddressError, listen

    with one_line(AddressError):
        listener = listen(settings.host, settings.port)
    summary = app.state.resources.policy.summary
    log_event(logging.getLogger("rn"), logging.INFO, "access", summary)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"serving {settings.bundle or settings.models} on http://{shown}:{port}", err=True)
    run(app, listener)


def run(app: "FastAPI", listener: socket.socket) -> None:
    """Serve until a signal asks to stop; requests in progress are answered first."""
    from service.server.server import make_server

    # The server drains, and then sends itself the signal again.
    exit_cleanly()
    with suppress(KeyboardInterrupt):
        make_server(app).run([listener])


def _create_app(settings: "Settings") -> "FastAPI":
    """Make the application; the default model is read while the rest is imported."""
    from service.models.default import read_ahead

    reading = read_ahead(settings)
    from service.app import create_app

    return create_app(settings, reading)


def load_settings(given: dict[str, Any]) -> "Settings":
    """Settings of the service from flags and the environment.

    Raises:
        CommandError: if one is missing or wrong.
    """
    from pydantic import ValidationError

    from service.settings import Settings

    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            fail(first["msg"])
        # A setting with an earlier name is reported under its variable.
        name = str(first["loc"][0]).removeprefix("RN_").lower()
        # The value of a key is not shown.
        got = "" if name.endswith("_key") else f", got {first['input']!r}"
        fail(f"{name} (RN_{name.upper()}): {first['msg']}{got}")
