"""Starts the service on this machine for as long as it is measured."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from rn.load.errors import LoadError

READY_SECONDS = 120.0
_ADDRESS = re.compile(r"serving .* on (http://\S+)")


@contextmanager
def local_service(bundle: Path) -> Iterator[tuple[str, int]]:
    """Serve a bundle on a free port, with a ledger that is removed afterwards.

    Yields:
        The URL and the identifier of the process.

    Raises:
        LoadError: if the service does not start.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "RN_LEDGER": f"sqlite:///{Path(folder, 'ledger.sqlite')}"}
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "rn",
                "serve",
                str(bundle),
                "--host",
                "127.0.0.1",
                "--port",
                "0",
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C ends the measurement, and only then the service.
            start_new_session=True,
        )
        try:
            yield _wait(process), process.pid
        finally:
            process.terminate()
            process.wait()


def _wait(process: "subprocess.Popen[str]") -> str:
    """The URL of the service, once it is ready."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said = line.strip() or said
        found = _ADDRESS.search(line)
        if found:
            # What it writes later must not fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            _until_ready(process, found.group(1))
            return found.group(1)
    raise LoadError(f"the service did not start: {said.removeprefix('rn serve: ')}")


def _until_ready(process: "subprocess.Popen[str]", url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health/ready", timeout=READY_SECONDS).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise LoadError("the service did not become ready")
