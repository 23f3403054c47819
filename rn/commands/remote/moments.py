"""``rn submit-moments``: submits what ``rn observe`` wrote."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rn.commands.remote.connection import connect
from rn.failing import fail
from rn.options.common import LOCAL, Key, TargetName, Url

if TYPE_CHECKING:
    from service.schemas import AdaptResult


def submit_moments(
    file: Annotated[Path, typer.Argument(help="File that `rn observe` wrote.")],
    url: Url = LOCAL,
    target: TargetName = "default",
    key: Key = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of them.")
    ] = False,
) -> None:
    """Submit the moments of rn observe to a running service.

    Safe to re-run: the same file is never counted twice.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}")
    name = hashlib.sha256(content).hexdigest()
    with connect(url, target, key, persistent=True) as client:
        result = client.submit_moments(content, key=None if dry_run else name, dry_run=dry_run)
    for line in _describe(result):
        typer.echo(line)


def _describe(result: "AdaptResult") -> list[str]:
    done = "would be merged" if result.dry_run else "merged"
    lines = [f"moments of {result.admitted} images {done}, in domain {result.domain}"]
    if result.alarm:
        lines.append(result.alarm)
    version = result.committed
    if version is not None:
        reason = "" if version.reason is None else f": {version.reason}"
        lines.append(f"version {version.number} {version.status}{reason}")
    lines.append(f"version {result.serving} is served, {result.pending} images pending")
    return lines
