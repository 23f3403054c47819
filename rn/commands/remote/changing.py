"""``rn promote``, ``rn reset``, ``rn freeze``, ``rn unfreeze`` and ``rn mode``."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from rn.commands.remote.connection import connect
from rn.failing import fail
from rn.options.common import LOCAL, Key, Reason, TargetName, Url
from service.vocabulary import Mode

if TYPE_CHECKING:
    from service.schemas import TargetInfo

MODES: tuple[Mode, ...] = get_args(Mode)


def promote(
    version: Annotated[int, typer.Argument(min=0, help="Version to serve.")],
    url: Url = LOCAL,
    target: TargetName = "default",
    key: Key = None,
    reason: Reason = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Serve it although a guard rejected it; needs a --reason."),
    ] = False,
) -> None:
    """Serve a version, and let adaptation go on from it."""
    with connect(url, target, key) as client:
        info = client.promote(version, force=force, reason=reason)
    typer.echo(f"version {info.serving} is served")


def reset(
    url: Url = LOCAL, target: TargetName = "default", key: Key = None, reason: Reason = None
) -> None:
    """Serve the exported version; forget what was observed since."""
    with connect(url, target, key) as client:
        info = client.reset(reason=reason)
    typer.echo(f"version {info.serving} is served, as it was exported")


def freeze(
    url: Url = LOCAL, target: TargetName = "default", key: Key = None, reason: Reason = None
) -> None:
    """Switch adaptation off; predictions go on."""
    with connect(url, target, key) as client:
        info = client.freeze(reason=reason)
    later = "; the ledger cannot be used now and is told later" if info.unwritten else ""
    typer.echo(f"adaptation is switched off; version {info.serving} is served{later}")


def unfreeze(
    url: Url = LOCAL, target: TargetName = "default", key: Key = None, reason: Reason = None
) -> None:
    """Switch adaptation on again."""
    with connect(url, target, key) as client:
        info = client.unfreeze(reason=reason)
    typer.echo(f"adaptation is switched on, mode {info.mode}")


def mode(
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="[off|shadow|auto]", help="Mode to choose. Default: say which one it is."
        ),
    ] = None,
    url: Url = LOCAL,
    target: TargetName = "default",
    key: Key = None,
    reason: Reason = None,
) -> None:
    """Say or choose what becomes of versions: off, shadow, auto."""
    if wanted is not None and wanted not in MODES:
        fail(f"{wanted} is no mode; there are {', '.join(MODES)}")
    with connect(url, target, key) as client:
        if wanted is not None:
            client.set_mode(wanted, reason=reason)
        info = client.versions(limit=1)
    typer.echo(_explain(info))


def _explain(info: "TargetInfo") -> str:
    meanings: dict[Mode, str] = {
        "off": "no versions are made",
        "shadow": "good versions are proposed, and a person promotes them",
        "auto": "good versions are published",
    }
    frozen = "; adaptation is frozen" if info.frozen else ""
    return f"{info.mode}: {meanings[info.mode]}{frozen}"
