"""What a load consists of, and how it is run: on a fast event loop, until it ends or Ctrl-C stops it."""

import asyncio
import signal
from array import array
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
import uvloop

from rn.load.measurement import UNANSWERED, Measurement
from rn.load.process_usage import ProcessTree, Watch
from rn.load.sending.connection import Answered, Connection, connect
from rn.load.sending.request import Address, Payload, post

# For connections that are still being made when a load ends.
CONNECT_SECONDS = 2.0


@dataclass(frozen=True)
class Load:
    """Requests to one server.

    Attributes:
        address: where they are sent.
        requests: bytes of the requests, which are sent in turn.
        images: images per request.
        server: processes of the server, if it runs on this machine.
    """

    address: Address
    requests: Sequence[bytes]
    images: int = 1
    server: ProcessTree | None = None


def make_load(
    address: Address, path: str, payloads: Sequence[Payload], server: ProcessTree | None = None
) -> Load:
    """The load that posts these payloads in turn; each holds as many images as the first."""
    requests = [post(address, path, payload) for payload in payloads]
    return Load(address, requests, payloads[0].images, server)


@dataclass
class Run:
    """The state that open and closed loops share while they run.

    Attributes:
        load: the requests.
        stop: set when the load should end before its time.
        due: when each ended request was due, as a time of ``time.perf_counter``.
        ended: when it ended.
        statuses: how it ended.
        waiting: connections that wait for an answer.
        connections: all connections that are open.
    """

    load: Load
    stop: asyncio.Event
    due: "array[float]" = field(default_factory=lambda: array("d"))
    ended: "array[float]" = field(default_factory=lambda: array("d"))
    statuses: "array[int]" = field(default_factory=lambda: array("h"))
    waiting: set[Connection] = field(default_factory=set)
    connections: set[Connection] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._requests = cycle(self.load.requests)
        self.watch = Watch(self.load.server)

    async def connect(self, answered: Answered) -> Connection | None:
        """A new connection; None if the server does not take it."""
        connection = await connect(self.load.address, answered)
        if connection is not None:
            self.connections.add(connection)
            connection.when_closed(self.connections.discard)
        return connection

    def send(self, connection: Connection, due: float) -> None:
        """Send the next request."""
        self.waiting.add(connection)
        connection.send(next(self._requests), due)

    def note(self, due: float, ended: float, status: int) -> None:
        """Note how a request ended."""
        self.due.append(due)
        self.ended.append(ended)
        self.statuses.append(status)

    async def pause(self, seconds: float) -> None:
        """Wait, but not after the load was stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), max(0.0, seconds))

    def give_up(self, now: float, due_before: float) -> None:
        """Note requests that were due before a moment and have no answer."""
        for connection in self.waiting:
            if connection.due < due_before:
                self.note(connection.due, now, UNANSWERED)

    async def close(self, connecting: Collection["asyncio.Task[None]"]) -> None:
        """Close all connections, and those that are being made."""
        if connecting:
            # A connection that is cancelled while it is made would be left open.
            await asyncio.wait(connecting, timeout=CONNECT_SECONDS)
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        left = list(self.connections)
        for connection in left:
            connection.close()
        await asyncio.gather(*(connection.closed() for connection in left))

    def result(
        self,
        scenario: str,
        window: tuple[float, float],
        *,
        by: Sequence[float],
        clients: int,
        offered: float | None = None,
        lateness: float = 0.0,
    ) -> Measurement:
        """The measurement of the requests whose time, given by ``by``, lies in the window."""
        begin, end = window
        times = np.array(by)
        inside = (times >= begin) & (times <= end)
        latencies = np.array(self.ended) - np.array(self.due)
        generator, server = self.watch.usage()
        return Measurement(
            scenario,
            end - begin,
            self.load.images,
            latencies[inside],
            np.array(self.statuses, np.int16)[inside],
            due=np.array(self.due)[inside] - begin,
            offered=offered,
            clients=clients,
            generator=generator,
            server=server,
            lateness=lateness,
            interrupted=self.stop.is_set(),
        )


def run_load(load: Load, loop: Callable[[Run], Coroutine[None, None, Measurement]]) -> Measurement:
    """Run a load in this thread; Ctrl-C ends it early and keeps what was measured.

    Args:
        load: the requests.
        loop: sends them.
    """

    async def main() -> Measurement:
        run = Run(load, asyncio.Event())
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, run.stop.set)
        return await loop(run)

    return uvloop.run(main())
