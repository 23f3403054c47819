"""The command ``rn targets``."""

from typing import Annotated

import typer

from rn.commands.remote.connection import connect
from rn.failing import fail
from rn.options.common import LOCAL, AsJson, Key, Url


def targets(
    url: Url = LOCAL,
    key: Key = None,
    add: Annotated[str | None, typer.Option(help="Make a target of this name first.")] = None,
    delete: Annotated[
        str | None,
        typer.Option(help="Delete a target first, with its versions and events, for good."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the targets of a service, make one, delete one."""
    from rn.terminal import Column, show_table

    if add is not None and delete is not None:
        fail("--add and --delete exclude each other")
    with connect(url, "default", key) as client:
        if add is not None:
            found = client.create_target(add)
        elif delete is not None:
            found = client.delete_target(delete)
        else:
            found = client.targets()
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    rows = [(name, "yes" if name in found.loaded else "no") for name in found.targets]
    show_table((Column("target", folds=True), Column("in memory")), rows)
