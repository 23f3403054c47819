"""The command ``rn inspect``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bundle.inspection.summary import inspect_bundle
from bundle.signing import read_public_key
from rn.commands.bundle_tables import show_inspection
from rn.commands.failing import one_line


def inspect(
    bundle: Annotated[Path, typer.Argument(help="Directory of the bundle.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    public_key: Annotated[
        Path | None,
        typer.Option(
            envvar="RN_PUBLIC_KEY", help="Ed25519 public key of the one who must have signed it."
        ),
    ] = None,
) -> None:
    """Check a bundle as a service would, and tell what it is and where it comes from."""
    with one_line("inspect"):
        key = None if public_key is None else read_public_key(public_key)
        found = inspect_bundle(bundle, key)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        show_inspection(found)
