"""Runs the real service for a measurement."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from service.client import Client, ClientError

NO_SETTINGS: Mapping[str, str] = {}


@contextmanager
def served(
    bundle: Path,
    folder: Path,
    seconds: float = 60.0,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> Iterator[Client]:
    """Serve a bundle in its own process, with a ledger in ``folder``, until the block ends.

    Args:
        bundle: directory of the bundle.
        folder: an empty folder.
        seconds: how long it may take to be ready.
        settings: settings of the service by variable, in addition to those of this environment.

    Raises:
        RuntimeError: if it is not ready in time.
    """
    port = free_port()
    environment = {**os.environ, **settings, "RN_LEDGER": f"sqlite:///{folder / 'ledger.sqlite'}"}
    command = [sys.executable, "-m", "rn", "serve", str(bundle), "--port", str(port)]
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            with Client(f"http://127.0.0.1:{port}") as client:
                _wait(process, client, time.monotonic() + seconds)
                yield client
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], client: Client, deadline: float) -> None:
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.health()
            return
        except ClientError:
            time.sleep(0.1)
    raise RuntimeError("the service did not become ready; its log says why")
