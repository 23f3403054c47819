"""Runs one system, checks its answers, and puts load on it."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil
import uvloop

from bench.serving.systems import Place, System, Top, variables
from rn.load.process_usage import ProcessTree
from rn.load.sending.connection import Connection, connect
from rn.load.sending.load import Load, make_load
from rn.load.sending.request import Address, Payload, post

READY_SECONDS = 90.0
STOP_SECONDS = 15.0
TOLERANCE = 1e-4


class NotRunning(Exception):
    """A system did not start, or gives other answers than the others."""


@dataclass(frozen=True)
class Running:
    """A system that runs.

    Attributes:
        system: the system.
        address: where it listens.
        tree: its processes.
        start_seconds: seconds from its start to its first prediction.
    """

    system: System
    address: Address
    tree: ProcessTree
    start_seconds: float

    def load(self, payloads: Sequence[Payload]) -> Load:
        """The load of these images on the system."""
        own = [self.system.payload(payload) for payload in payloads]
        return make_load(self.address, self.system.path, own, self.tree)

    def predict(self, payload: Payload) -> Top:
        """The most probable classes of one image.

        Raises:
            NotRunning: if the answer is not a prediction.
        """
        request = post(self.address, self.system.path, self.system.payload(payload))
        status, body = uvloop.run(_exchange(self.address, request))
        if status != 200:
            raise NotRunning(f"answers {status}: {body[:200].decode(errors='replace')}")
        return self.system.parse(body)


@contextmanager
def running(system: System, place: Place, probe: Payload) -> Iterator[Running]:
    """Start a system, wait for its first prediction, and end it with all its processes.

    Raises:
        NotRunning: if it does not predict.
    """
    with (place.folder / f"{system.name}.log").open("wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            list(system.command(place)),
            env=variables(system, place),
            cwd=place.folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            started = Running(
                system, Address("127.0.0.1", place.port), ProcessTree(process.pid), 0.0
            )
            _wait(process, started, probe, place)
            yield Running(system, started.address, started.tree, time.monotonic() - began)
        finally:
            _end(process)


def check_agreement(found: Top, expected: Top) -> None:
    """Check that two systems predict the same.

    Raises:
        NotRunning: if the classes or their probabilities differ.
    """
    best, other = max(expected, key=expected.__getitem__), max(found, key=found.__getitem__)
    shared = found.keys() & expected.keys()
    differences = [abs(found[number] - expected[number]) for number in shared]
    if best != other or not shared or max(differences) > TOLERANCE:
        raise NotRunning(f"predicts {found}, others predict {expected}")


def _wait(
    process: "subprocess.Popen[bytes]", started: Running, probe: Payload, place: Place
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    reason = "nothing was answered"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            started.predict(probe)
            return
        except NotRunning as error:
            reason = str(error)
        time.sleep(0.1)
    log = (place.folder / f"{started.system.name}.log").read_text(errors="replace")
    last = " | ".join(log.strip().splitlines()[-3:])[-400:]
    raise NotRunning(f"did not start: {reason}; its log ends: {last}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and everything that it started, politely and then not."""
    try:
        family = [
            psutil.Process(process.pid),
            *psutil.Process(process.pid).children(recursive=True),
        ]
    except psutil.Error:
        family = []
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for left in alive:
        try:
            left.kill()
        except psutil.NoSuchProcess:
            continue
    with suppress(ProcessLookupError):
        # Those that were started meanwhile are in the same session.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


async def _exchange(address: Address, request: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to one request; status 0 if there is none."""
    answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def note(_: Connection, status: int) -> None:
        if not answered.done():
            answered.set_result(status)

    connection = await connect(address, note, keep_body=True)
    if connection is None:
        return 0, b"no connection"
    try:
        connection.send(request, time.perf_counter())
        status = await asyncio.wait_for(answered, 30.0)
        return status, connection.body
    except TimeoutError:
        return 0, b"no answer"
    finally:
        connection.close()
        await connection.closed()
