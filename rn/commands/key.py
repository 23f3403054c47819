"""The command ``rn key``."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from rn.failing import fail, one_line
from service.vocabulary import Role

ROLES: tuple[Role, ...] = get_args(Role)


def key(
    name: Annotated[str, typer.Argument(help="Name of the key in logs, such as camera-3.")],
    role: Annotated[
        list[str],
        typer.Option(metavar="|".join(ROLES), help="What the key may be used for. Repeatable."),
    ],
    file: Annotated[
        Path | None,
        typer.Option(help="Keys file to append the entry to; made if there is none."),
    ] = None,
) -> None:
    """Make a key for a service.

    Prints the key, which is shown this once, and its entry for the keys file that RN_KEYS_FILE names. The
    entry holds no more than the hash of the key.
    """
    from service.security.keys import KeysError, append_entry, file_entry, new_key

    if unknown := [one for one in role if one not in ROLES]:
        fail(f"--role {unknown[0]} is not a role; there are {', '.join(ROLES)}")
    made = new_key()
    roles = [one for one in ROLES if one in role]
    with one_line(KeysError):
        entry = file_entry(name, roles, made)
        if file is not None:
            append_entry(file, name, entry)
    typer.echo(made)
    if file is None:
        typer.echo(f"\n{entry}", nl=False)
