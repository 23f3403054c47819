"""Options that several commands share."""

from typing import Annotated

import typer

LOCAL = "http://127.0.0.1:8000"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="RN_KEY",
        help="Key of the service, if it needs one. Better in the environment than here, where other users"
        " of this machine can read it.",
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of rows.")]
Reason = Annotated[str | None, typer.Option(help="Why; it is recorded with the event.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Override a setting, e.g. training.batch_size=24. Repeatable.",
    ),
]
TargetName = Annotated[str, typer.Option("--target", help="Name of the target.")]
Url = Annotated[str, typer.Option(envvar="RN_URL", help="URL of the service.")]
