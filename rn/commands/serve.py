"""The command ``rn serve``."""

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

DRAIN_SECONDS = 30
BACKLOG = 2048


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
    from service.app import create_app
    from service.errors import LedgerError, ModelNotLoaded
    from service.inference.device import DeviceError

    given = {
        "bundle": bundle,
        "models": models,
        "host": host,
        "port": port,
        "ledger": ledger,
        "device": device,
    }
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    with one_line(BundleError, LedgerError, ModelNotLoaded, DeviceError):
        app = create_app(settings)
    listener = listen(settings.host, settings.port)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"serving {settings.bundle or settings.models} on http://{shown}:{port}", err=True)
    run(app, listener)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        CommandError: if the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's algorithm off only for sockets that declare
    # TCP; with it, every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
        return listener
    except OSError as error:
        listener.close()
        # The rest of the text, in brackets, names the address again.
        reason = (error.strerror or str(error)).partition(" (")[0]
        fail(f"cannot listen on {host}:{port}: {reason}")


def run(app: "FastAPI", listener: socket.socket) -> None:
    """Serve until a signal asks to stop; requests in progress are answered first."""
    import uvicorn

    # uvicorn drains, and then sends itself the signal again.
    exit_cleanly()
    config = uvicorn.Config(app, timeout_graceful_shutdown=DRAIN_SECONDS)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


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
        fail(f"{name} (RN_{name.upper()}): {first['msg']}, got {first['input']!r}")
