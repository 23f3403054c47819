"""The command ``rn inspect``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bundle.errors import BundleError
from rn.failing import one_line
from rn.options.common import AsJson


def inspect(
    bundle: Annotated[Path, typer.Argument(help="Directory of the bundle.")],
    as_json: AsJson = False,
    public_key: Annotated[
        Path | None,
        typer.Option(
            envvar="RN_PUBLIC_KEY",
            help="Ed25519 public key; fail unless the bundle was signed with it.",
        ),
    ] = None,
) -> None:
    """Verify a bundle and describe its contents and provenance.

    Makes the same checks as a service that loads the bundle.
    """
    from bundle.inspection.summary import inspect_bundle
    from bundle.signing import read_public_key
    from rn.commands.bundles.tables import show_inspection

    with one_line(BundleError, OSError):
        key = None if public_key is None else read_public_key(public_key)
        found = inspect_bundle(bundle, key)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        show_inspection(found)
