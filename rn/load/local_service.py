"""Starts the service on this machine for as long as it is measured."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from rn.load.errors import LoadError

READY_SECONDS = 120.0
NO_SETTINGS: Mapping[str, str] = {}
_LOOPBACK = ("--host", "127.0.0.1", "--port", "0")
_ADDRESS = re.compile(r"serving .* on (http://\S+)")


@contextmanager
def local_service(
    bundle: Path, settings: Mapping[str, str] = NO_SETTINGS
) -> Iterator[tuple[str, int]]:
    """Serve a bundle on a free port, with a ledger that is removed afterwards.

    Args:
        bundle: directory of the bundle.
        settings: settings of the service by variable, in addition to those of this environment.

    Yields:
        The URL and the identifier of the process.

    Raises:
        LoadError: if the service does not start.
    """
    with tempfile.TemporaryDirectory() as folder:
        ledger = f"sqlite:///{Path(folder, 'ledger.sqlite')}"
        environment = {**os.environ, **settings, "RN_LEDGER": ledger}
        log = Path(folder, "service.log")
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "rn", "serve", str(bundle), *_LOOPBACK],
                env=environment,
                stdout=file,
                stderr=file,
                # Ctrl-C ends the measurement, and only then the service.
                start_new_session=True,
            )
            try:
                yield _wait(process, log), process.pid
            finally:
                process.terminate()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The URL of the service, once it is ready."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        said = log.read_text(errors="replace").strip().splitlines()
        if ended:
            reason = said[-1] if said else "it said nothing"
            raise LoadError(f"the service did not start: {reason.removeprefix('rn serve: ')}")
        url = next((found.group(1) for line in said if (found := _ADDRESS.search(line))), None)
        if url is not None and _is_ready(url):
            return url
        time.sleep(0.05)
    raise LoadError(f"the service was not ready within {READY_SECONDS:.0f} s")


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=READY_SECONDS).is_success
    except httpx.TransportError:
        return False
