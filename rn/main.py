"""Entry point of the command ``rn``."""

import sys


def main() -> None:
    """Run the command line of this process."""
    if sys.argv[1:2] == ["serve"]:
        from rn.termination import exit_at_once

        # Before typer, and long before the service, is imported.
        exit_at_once()
    from rn.application import app

    app(prog_name="rn")
