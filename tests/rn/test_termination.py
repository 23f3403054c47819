"""SIGTERM while ``rn serve`` starts, sent to real processes at chosen moments."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.service.processes import LONG, environment, started

# Lines of standard error that mark how far the start has come: with -X importtime, Python writes one as
# soon as a module is imported.
PHASES = (
    "typer.core",  # before any of the service
    "onnxruntime",
    "sqlalchemy.dialects.sqlite",  # while the application is made
    "serving ",  # it listens
    "Started server process",
)


def stopped(phase: str, bundle: Path, folder: Path) -> tuple[int, str]:
    """Exit status and last line of a service that gets SIGTERM when it has come so far."""
    command = (sys.executable, "-X", "importtime", "-m", "rn", "serve", str(bundle), "--port", "0")
    settings = environment(RN_LEDGER=f"sqlite:///{folder}/ledger.sqlite")
    with subprocess.Popen(
        command, env=settings, stderr=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        assert process.stderr is not None
        timer = threading.Timer(LONG, process.kill)
        timer.start()
        try:
            for line in process.stderr:
                if phase in line.rpartition("| ")[2]:
                    break
            else:
                raise AssertionError(f"it ended before {phase}")
            process.send_signal(signal.SIGTERM)
            *_, last = [line, *process.stderr]
            return process.wait(), last
        finally:
            timer.cancel()


def test_sigterm_ends_a_starting_service_cleanly(bundle_path: Path, tmp_path: Path) -> None:
    for phase in PHASES:
        status, last = stopped(phase, bundle_path, tmp_path)
        assert status == 0, (phase, status, last)
    # None of them left anything half done.
    with started(bundle_path, tmp_path) as process:
        process.terminate()
        assert process.exit_code() == 0
