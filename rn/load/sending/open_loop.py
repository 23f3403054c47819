"""The open loop: requests are due at given times, whatever became of those before them.

Latency counts from the moment a request was due, so a server that stalls is charged with every request
that should have been sent meanwhile, not only with those that were in flight.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from rn.load.measurement import BROKEN, UNANSWERED, Measurement
from rn.load.sending.connection import Connection
from rn.load.sending.load import Run

MAX_CONNECTIONS = 512
DRAIN_SECONDS = 10.0
# Timers of the event loop count milliseconds: half of one early is better than half of one late.
EARLY_SECONDS = 0.0005


class OpenLoop:
    """Requests at given times, over as many connections as it takes.

    Args:
        arrivals: when requests are due, in seconds from the start, in order.
        seconds: length of the load.
        warm_up: seconds at its beginning that are not measured.
        max_connections: most connections; requests that are due while all are in use wait for one.
        drain: seconds after the end in which answers are still awaited.
        scenario: what the load is called.
    """

    def __init__(
        self,
        arrivals: Sequence[float],
        seconds: float,
        warm_up: float = 0.0,
        *,
        max_connections: int = MAX_CONNECTIONS,
        drain: float = DRAIN_SECONDS,
        scenario: str = "open loop",
    ) -> None:
        self._arrivals = arrivals
        self._seconds = seconds
        self._warm_up = warm_up
        self._max_connections = max_connections
        self._drain = drain
        self._scenario = scenario
        self._next = 0
        self._idle: list[Connection] = []
        self._backlog: deque[float] = deque()
        self._usable = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._most = 0
        self._lateness: list[float] = []
        self._over = False
        self._quiet = asyncio.Event()

    async def __call__(self, run: Run) -> Measurement:
        """Run the load; requests that are due within the measured seconds count."""
        self._run = run
        self._start = time.perf_counter()
        begin, end = self._start + self._warm_up, self._start + self._seconds
        self._tick()
        await run.pause(self._warm_up)
        run.watch.begin()
        await run.pause(end - time.perf_counter())
        run.watch.end()
        if run.stop.is_set():
            end = min(end, time.perf_counter())
        else:
            # Timers end up to a millisecond early.
            self._send_until(end)
        self._next = len(self._arrivals)
        await self._finish()
        inside = [due for due in run.due if begin <= due <= end]
        return run.result(
            self._scenario,
            (begin, end),
            by=run.due,
            clients=self._most,
            offered=len(inside) / max(end - begin, 1e-9),
            lateness=float(np.percentile(self._lateness, 99)) if self._lateness else 0.0,
        )

    def _tick(self) -> None:
        """Send what is due, and come back when the next request is."""
        self._send_until(time.perf_counter() + EARLY_SECONDS)
        if self._next < len(self._arrivals):
            due = self._start + self._arrivals[self._next]
            asyncio.get_running_loop().call_later(max(0.0, due - time.perf_counter()), self._tick)

    def _send_until(self, moment: float) -> None:
        while self._next < len(self._arrivals):
            due = self._start + self._arrivals[self._next]
            if due > moment:
                return
            self._next += 1
            self._dispatch(due)

    def _dispatch(self, due: float) -> None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                self._send(connection, due)
                return
            self._usable -= 1
        self._backlog.append(due)
        self._open()

    def _send(self, connection: Connection, due: float) -> None:
        now = time.perf_counter()
        self._lateness.append(max(0.0, now - due))
        # One that is sent a little early counts from then.
        self._run.send(connection, min(due, now))

    def _open(self) -> None:
        if self._usable + len(self._opening) >= self._max_connections:
            return
        task = asyncio.get_running_loop().create_task(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        connection = await self._run.connect(self._answered)
        if connection is not None:
            self._usable += 1
            self._most = max(self._most, self._usable)
            self._free(connection)
        elif self._backlog:
            self._run.note(self._backlog.popleft(), time.perf_counter(), BROKEN)
            self._settle()

    def _answered(self, connection: Connection, status: int) -> None:
        if self._over:
            return
        self._run.waiting.discard(connection)
        self._run.note(connection.due, time.perf_counter(), status)
        self._free(connection)

    def _free(self, connection: Connection) -> None:
        """Use a connection for a request that waits for one, or keep it."""
        if not connection.usable:
            self._usable -= 1
            if self._backlog:
                self._open()
        elif self._backlog:
            self._send(connection, self._backlog.popleft())
        else:
            self._idle.append(connection)
        self._settle()

    def _settle(self) -> None:
        if not self._run.waiting and not self._backlog:
            self._quiet.set()

    async def _finish(self) -> None:
        """Await the answers that are outstanding, for a while; then give up and close."""
        self._quiet.clear()
        self._settle()
        if not self._run.stop.is_set():
            waits = [asyncio.ensure_future(w) for w in (self._quiet.wait(), self._run.stop.wait())]
            await asyncio.wait(waits, timeout=self._drain, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        self._over = True
        now = time.perf_counter()
        self._run.give_up(now, now)
        for due in self._backlog:
            self._run.note(due, now, UNANSWERED)
        await self._run.close(list(self._opening))
