"""``rn serve``: runs the service."""

import signal
import socket
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from bundle.errors import BundleError
from rn.failing import fail
from service.app import create_app
from service.inference.device import Device, DeviceError
from service.ledger.ledger import LedgerError
from service.settings import Settings

DRAIN_SECONDS = 30
BACKLOG = 2048


def serve(
    bundle: Annotated[
        Path | None, typer.Argument(help="Directory of the bundle; default RN_BUNDLE.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    ledger: Annotated[str | None, typer.Option(help="Database URL of the ledger.")] = None,
    device: Annotated[Device | None, typer.Option(help="Where to run.")] = None,
) -> None:
    """Serve a bundle: /predict, and /adapt from unlabeled images.

    Every setting can also be given in the environment, with the prefix RN_.
    """
    given = {"bundle": bundle, "host": host, "port": port, "ledger": ledger, "device": device}
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    try:
        app = create_app(settings)
    except (BundleError, LedgerError, DeviceError) as error:
        fail(str(error))
    listener = listen(settings.host, settings.port)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"serving {settings.bundle} on http://{shown}:{port}", err=True)
    run(app, listener)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; ends the program with one line if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio switches Nagle's algorithm off only for sockets that say they speak TCP;
    # with it, every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
        return listener
    except OSError as error:
        listener.close()
        # The text goes on in brackets, and names the address once more.
        reason = (error.strerror or str(error)).partition(" (")[0]
        fail(f"cannot listen on {host}:{port}: {reason}")


def run(app: FastAPI, listener: socket.socket) -> None:
    """Serve until told to stop; what is under way then is answered first."""
    # Damaged metadata in a posted image is no concern of whoever reads the log.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # uvicorn drains, and then sends itself the signal again.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(app, timeout_graceful_shutdown=DRAIN_SECONDS)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def load_settings(given: dict[str, Any]) -> Settings:
    """Settings from flags and the environment; ends the program with one line if they are wrong."""
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        if first["type"] == "missing":
            fail(f"no {name} given: name it as an argument, or set RN_{name.upper()}")
        fail(f"{name} (RN_{name.upper()}): {first['msg']}, got {first['input']!r}")
