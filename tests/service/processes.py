"""The service as a process of its own, as ``rn serve`` starts it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

LONG = 300.0
RN = (sys.executable, "-m", "rn")


class Process:
    """A running ``rn serve``.

    Attributes:
        url: URL at which it answers.
        stderr: lines that it wrote, as far as they were read.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self._popen = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True, cwd=folder
        )
        self.stderr: list[str] = []
        self._changed = threading.Condition()
        self.url = self._wait_for_url()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def kill(self) -> None:
        """Kill the process, and wait until it is gone."""
        self._popen.kill()
        self._wait()

    def terminate(self) -> None:
        """Ask the process to stop; returns at once."""
        self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def signal_child(self, number: int) -> None:
        """Send a signal to the program that the process watches, such as ``strace rn serve``."""
        pid = self._popen.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), number)

    def hang_up(self) -> None:
        """Ask the process to read its files again; returns at once."""
        self._popen.send_signal(signal.SIGHUP)

    def wait_for(self, text: str) -> None:
        """Wait until a line with this text was written."""
        with self._changed:
            assert self._changed.wait_for(lambda: any(text in line for line in self.stderr), LONG)

    def exit_code(self) -> int:
        """Wait for the end of the process."""
        return self._wait()

    def _wait_for_url(self) -> str:
        # The line comes when the socket listens; whoever connects then is answered once it is ready.
        timer = threading.Timer(LONG, self._popen.kill)
        timer.start()
        try:
            for line in self._lines():
                found = re.search(r" on (http://\S+)", line)
                if found:
                    return found[1]
        finally:
            timer.cancel()
        self._wait()
        raise AssertionError("".join(self.stderr))

    def _read(self) -> None:
        for _ in self._lines():
            pass

    def _lines(self) -> Iterator[str]:
        assert self._popen.stderr is not None
        for line in iter(self._popen.stderr.readline, ""):
            with self._changed:
                self.stderr.append(line)
                self._changed.notify_all()
            yield line

    def _wait(self) -> int:
        try:
            code = self._popen.wait(LONG)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            raise
        if hasattr(self, "_reader"):
            self._reader.join(LONG)
        assert self._popen.stderr is not None
        self._popen.stderr.close()
        return code


def environment(**changes: str) -> dict[str, str]:
    """This process' environment, without settings of the service but these; versions are published."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RN_")}
    return {
        **kept,
        "RN_THREADS": "1",
        "RN_SHUTDOWN_DELAY_SECONDS": "0",
        "RN_ADAPTATION": "auto",
        **changes,
    }


@contextmanager
def started(
    bundle: Path, folder: Path, command: Sequence[str] = RN, **settings: str
) -> Iterator[Process]:
    """Start ``rn serve`` on a free port; it is killed at the end if it still runs."""
    arguments = (*command, "serve", str(bundle), "--port", "0")
    given = {"RN_LEDGER": f"sqlite:///{folder}/ledger.sqlite", **settings}
    process = Process(arguments, environment(**given), folder)
    try:
        yield process
    finally:
        process.kill()


def run(
    *arguments: str, folder: Path, command: Sequence[str] = RN, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Run ``rn`` to its end."""
    return subprocess.run(
        (*command, *arguments),
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=LONG,
        cwd=folder,
        check=False,
    )


def client(process: Process) -> httpx.Client:
    """A client of the process, to be closed."""
    return httpx.Client(base_url=process.url, timeout=LONG)
