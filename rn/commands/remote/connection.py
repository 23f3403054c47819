"""The connection of a command to a running service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from rn.failing import one_line

if TYPE_CHECKING:
    from service.client import Client


@contextmanager
def connect(
    url: str, target: str, key: str | None, *, persistent: bool = False
) -> "Iterator[Client]":
    """A client of the service.

    Args:
        url: URL of the service.
        target: name of the target.
        key: key of the service, if it needs one.
        persistent: whether to send requests again, after a pause, if the service is busy or unavailable.

    Raises:
        CommandError: if the service cannot be reached, or a request fails.
    """
    from service.client import NO_RETRIES, Client, ClientError, Retries

    retries = Retries(announce=_announce) if persistent else NO_RETRIES
    with one_line(ClientError), Client(url, target=target, key=key, retries=retries) as client:
        yield client


def _announce(line: str) -> None:
    typer.echo(line, err=True)
