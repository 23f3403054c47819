"""``rn domains`` and ``rn drift``."""

from typing import Annotated

import typer

from rn.commands.remote.connection import connect
from rn.failing import fail
from rn.options.common import LOCAL, AsJson, Key, Reason, TargetName, Url


def domains(
    url: Url = LOCAL,
    target: TargetName = "default",
    key: Key = None,
    name: Annotated[
        tuple[int, str] | None,
        typer.Option(metavar="NUMBER NAME", help="Name a domain, and pin it, so that it is kept."),
    ] = None,
    forget: Annotated[
        int | None, typer.Option(min=0, help="Forget a domain: its images will be new.")
    ] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """List the domains of a target, name one, forget one."""
    from rn.terminal import Column, show_table

    if name is not None and forget is not None:
        fail("--name and --forget exclude each other")
    with connect(url, target, key) as client:
        if name is not None:
            client.change_domain(name[0], name=name[1], pinned=True, reason=reason)
        if forget is not None:
            client.forget_domain(forget)
        found = client.domains()
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    columns = (
        Column("domain", right=True),
        Column("name", folds=True),
        Column("version", right=True),
        Column("images", right=True, optional=True),
        Column("last seen", optional=True),
        Column("", folds=True),
    )
    rows = []
    for domain in found.domains:
        notes = ["now"] if domain.number == found.current else []
        notes += ["pinned"] if domain.pinned else []
        rows.append(
            (
                str(domain.number),
                domain.name or ("as exported" if domain.number == 0 else ""),
                str(domain.version),
                f"{domain.count:.0f}",
                domain.seen_at[:19],
                ", ".join(notes),
            )
        )
    show_table(columns, rows)


def drift(
    url: Url = LOCAL, target: TargetName = "default", key: Key = None, as_json: AsJson = False
) -> None:
    """Say how far the last images are from the domain of a target."""
    from rn.terminal import Column, show_table

    with connect(url, target, key) as client:
        found = client.drift()
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    columns = (
        Column("feature"),
        Column("domain", right=True),
        Column("last images", right=True),
        Column("standard errors", right=True),
    )
    show_table(
        columns,
        (
            (each.feature, f"{each.domain:.3f}", f"{each.recent:.3f}", f"{each.z:.1f}")
            for each in found.features
        ),
    )
    largest = "too few images to compare" if found.z is None else f"largest {found.z:.1f}"
    typer.echo(f"domain {found.domain}, {found.images} last images, {found.held} held: {largest}")
    typer.echo(f"above {found.limit:.0f} standard errors the domain counts as changed")
    typer.echo(f"its means are {found.shift:.2f} standard deviations from the exported ones")
