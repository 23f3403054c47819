"""A PostgreSQL server of its own for a test, which may be killed."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil

USER = "postgres"


def server_programs() -> Path | None:
    """The folder of the server's programs, as Debian installs them; None if there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    known = any(entry.pw_name == USER for entry in pwd.getpwall())
    return found[-1].parent if found and known and os.geteuid() == 0 else None


class Postgres:
    """A server on a free port of the loopback address.

    Attributes:
        url: URL of its database, as the ledger takes it.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._data = programs, folder / "data"
        folder.mkdir()
        shutil.chown(folder, USER, USER)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.url = f"postgresql+psycopg://{USER}@127.0.0.1:{self._port}/postgres"
        self._run(["initdb", "-D", str(self._data), "-A", "trust", "-N", "-E", "UTF8"])

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {self._data}"
        log = str(self._data / "log")
        self._run(["pg_ctl", "start", "-w", "-D", str(self._data), "-o", options, "-l", log])

    def kill(self) -> None:
        """Stop it as a crash would, with everything under way."""
        self._run(["pg_ctl", "stop", "-m", "immediate", "-D", str(self._data)])

    def pause(self) -> None:
        """Let it neither answer nor close its connections, as behind a network that drops packets."""
        for process in self._processes():
            process.suspend()

    def resume(self) -> None:
        """Let it go on."""
        for process in self._processes():
            process.resume()

    def _processes(self) -> list[psutil.Process]:
        first = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        return [first, *first.children(recursive=True)]

    def _run(self, command: Sequence[str]) -> None:
        program = str(self._programs / command[0])
        subprocess.run(
            ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", program, *command[1:]],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
