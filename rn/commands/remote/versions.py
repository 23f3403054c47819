"""``rn versions`` and ``rn rollback``."""

from typing import TYPE_CHECKING, Annotated

import typer

from rn.commands.remote.connection import connect
from rn.options.common import LOCAL, AsJson, Key, Limit, Reason, TargetName, Url

if TYPE_CHECKING:
    from service.schemas import TargetInfo


def versions(
    url: Url = LOCAL,
    target: TargetName = "default",
    key: Key = None,
    limit: Limit = 100,
    before: Annotated[
        int | None, typer.Option(min=0, help="List only versions before this one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the versions of a target."""
    with connect(url, target, key) as client:
        info = client.versions(limit=limit, before=before)
    if as_json:
        typer.echo(info.model_dump_json(indent=2))
        return
    show_versions(info)
    if info.earlier is not None:
        typer.echo(f"earlier ones: rn versions --before {info.earlier}")


def rollback(
    version: Annotated[
        int | None,
        typer.Argument(min=0, help="Version to serve. Default: the parent of the served one."),
    ] = None,
    url: Url = LOCAL,
    target: TargetName = "default",
    key: Key = None,
    reason: Reason = None,
) -> None:
    """Serve an earlier version of a target again."""
    with connect(url, target, key) as client:
        info = client.rollback(version, reason=reason)
    typer.echo(f"version {info.serving} is served")


def show_versions(info: "TargetInfo") -> None:
    """Print the versions of a target as a table."""
    from rn.terminal import Column, show_table

    columns = (
        Column("version", right=True),
        Column("made"),
        Column("status"),
        Column("images", right=True, optional=True),
        Column("information", right=True, optional=True),
        Column("parent", right=True, optional=True),
        Column("", folds=True),
    )
    rows = []
    for version in info.versions:
        information = version.scores.get("information")
        rows.append(
            (
                str(version.number),
                version.created_at[:19],
                version.status,
                f"{version.count:.0f}",
                "" if information is None else f"{information:.3f}",
                "" if version.parent is None else str(version.parent),
                "served" if version.number == info.serving else version.reason or "",
            )
        )
    show_table(columns, rows)
    frozen = "; adaptation is frozen" if info.frozen else ""
    typer.echo(f"{info.pending} images pending{frozen}")
