"""Commands that talk to a running service: ``rn predict``, ``rn versions`` and ``rn rollback``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rn.failing import one_line
from rn.options.common import LOCAL, AsJson, Limit, TargetName, Url

if TYPE_CHECKING:
    from service.client import Client
    from service.schemas import TargetInfo


@contextmanager
def connect(url: str, target: str) -> "Iterator[Client]":
    """A client of the service.

    Raises:
        CommandError: if the service cannot be reached, or a request fails.
    """
    from service.client import Client, ClientError

    with one_line(ClientError), Client(url, target=target) as client:
        yield client


def predict(
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    url: Url = LOCAL,
    target: TargetName = "default",
    version: Annotated[
        int | None, typer.Option(min=0, help="Version to predict with. Default: the served one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Label image files with a running service."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    with connect(url, target) as client:
        result = client.predict(images, version=version)
    if as_json:
        typer.echo(result.model_dump_json(indent=2))
        return
    table = Table("image", "label", "probability", "version")
    for image, prediction in zip(images, result.predictions, strict=True):
        table.add_row(
            escape(str(image)),
            escape(prediction.label),
            f"{prediction.probability:.3f}",
            str(result.version),
        )
    Console().print(table)


def versions(
    url: Url = LOCAL,
    target: TargetName = "default",
    limit: Limit = 100,
    before: Annotated[
        int | None, typer.Option(min=0, help="List only versions before this one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the versions of a target."""
    with connect(url, target) as client:
        info = client.versions(limit=limit, before=before)
    if as_json:
        typer.echo(info.model_dump_json(indent=2))
        return
    _show_versions(info)
    if info.earlier is not None:
        typer.echo(f"earlier ones: rn versions --before {info.earlier}")


def rollback(
    version: Annotated[
        int | None,
        typer.Argument(min=0, help="Version to serve. Default: the parent of the served one."),
    ] = None,
    url: Url = LOCAL,
    target: TargetName = "default",
) -> None:
    """Serve an earlier version of a target again."""
    with connect(url, target) as client:
        info = client.rollback(version)
    typer.echo(f"version {info.serving} is served")


def _show_versions(info: "TargetInfo") -> None:
    """Print the versions of a target as a table."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("version", "parent", "status", "images", "information", "made", "")
    for version in info.versions:
        information = version.scores.get("information")
        table.add_row(
            str(version.number),
            "" if version.parent is None else str(version.parent),
            version.status,
            f"{version.count:.0f}",
            "" if information is None else f"{information:.3f}",
            version.created_at[:19],
            "served" if version.number == info.serving else escape(version.reason or ""),
        )
    Console().print(table)
    frozen = "; adaptation is frozen" if info.frozen else ""
    typer.echo(f"{info.pending} images pending{frozen}")
