"""The command ``rn health``, which containers run every few seconds: it imports nothing large."""

import json
import os
import urllib.error
import urllib.request
from typing import Annotated

import typer

from rn.failing import fail

# Addresses that mean every interface; the service answers on the loopback interface as well.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}


def health(
    url: Annotated[
        str | None,
        typer.Option(
            help="URL of the service. Default: this machine's, from RN_HOST, RN_PORT, RN_ROOT_PATH."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait.")] = 4.0,
) -> None:
    """Say whether a service is ready; exits with status 1 if not."""
    place = (url or _own_url()).rstrip("/")
    # A proxy of the environment is for other machines.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{place}/health/ready", timeout=timeout) as answer:
            content = json.load(answer)
    except urllib.error.HTTPError as error:
        fail(f"{place} is not ready: {_detail(error)}")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        fail(f"{place} does not answer: {reason}")
    # Where keys are needed, whoever has none is told no more than this.
    line = "ready"
    if "model" in content:
        line += f": {content['model']}, version {content['serving']}, {content['provider']}"
    typer.echo(line)


def _own_url() -> str:
    host = os.environ.get("RN_HOST", "")
    port = os.environ.get("RN_PORT") or "8000"
    path = os.environ.get("RN_ROOT_PATH", "")
    return f"http://{_EVERYWHERE.get(host, host)}:{port}{path}"


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"it answers {error.code}"
