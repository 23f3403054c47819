"""The command ``rn events``."""

from typing import TYPE_CHECKING, Annotated

import typer

from rn.commands.remote.connection import connect
from rn.options.common import LOCAL, AsJson, Key, Limit, TargetName, Url

if TYPE_CHECKING:
    from service.schemas import EventInfo


def events(
    url: Url = LOCAL,
    target: TargetName = "default",
    key: Key = None,
    limit: Limit = 100,
    before: Annotated[
        int | None, typer.Option(min=0, help="List only events before this one.")
    ] = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="List only events after this one, oldest first.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what happened to a target."""
    from rn.terminal import Column, show_table

    with connect(url, target, key) as client:
        page = client.events(limit=limit, before=before, after=after)
    if as_json:
        typer.echo(page.model_dump_json(indent=2))
        return
    columns = (
        Column("event", right=True),
        Column("time"),
        Column("kind"),
        Column("what happened", folds=True),
    )
    rows = [
        (str(event.id), event.at[:19], event.kind.replace("_", " "), describe(event))
        for event in page.events
    ]
    show_table(columns, rows)
    if after is not None:
        if len(page.events) == limit:
            typer.echo(f"later ones: rn events --after {page.latest}")
    elif page.earlier is not None:
        typer.echo(f"earlier ones: rn events --before {page.earlier}")


def describe(event: "EventInfo") -> str:
    """Describe an event in words."""
    match event.kind:
        case "new_domain" | "recalled_domain":
            begins = "begins" if event.kind == "new_domain" else "has come back"
            return f"domain {event.domain} {begins}: {event.alarm or 'its images were recognized'}"
        case "domain_changed":
            return f"domain {event.domain} was named or pinned"
        case "domain_forgotten":
            return f"domain {event.domain} is not recalled any more"
        case "proposed":
            return f"version {event.version} may be promoted"
        case "mode":
            return f"mode {event.mode} instead of {event.previous_mode}"
        case "evidence":
            return f"{event.labels} labels on version {event.version}: {event.verdict}"
        case "merged":
            return (
                f"{event.admitted} of {event.received} images admitted, {event.held} held,"
                f" {event.pending} pending"
            )
        case "alarm":
            return event.alarm or ""
        case "published":
            return f"version {event.version}, made from version {event.parent}, is served"
        case "rejected":
            return f"version {event.version}: {event.reason}"
        case "promoted" | "rolled_back" | "reset":
            why = f": {event.reason}" if event.reason else ""
            return f"version {event.version} is served instead of version {event.previous}{why}"
        case "shadow_set":
            return f"version {event.version} has the label shadow"
        case "shadow_removed":
            return f"version {event.previous} has the label shadow no more"
        case "frozen":
            return "adaptation is switched off"
        case "unfrozen":
            return "adaptation is switched on"
        case "opened":
            return "version 0, as exported, is served"
