"""The closed loop: each client sends its next request when the last one was answered."""

import asyncio
import time

from rn.load.measurement import BROKEN, Measurement
from rn.load.sending.connection import Connection
from rn.load.sending.load import Run

# Before a server that takes no connections is tried again.
RECONNECT_SECONDS = 0.05


class ClosedLoop:
    """A number of clients, each with one request in flight.

    Args:
        clients: number of clients.
        seconds: seconds that are measured.
        warm_up: seconds before them.
        scenario: what the load is called.
    """

    def __init__(
        self, clients: int, seconds: float, warm_up: float = 0.0, scenario: str | None = None
    ) -> None:
        self._clients = clients
        self._seconds = seconds
        self._warm_up = warm_up
        self._scenario = scenario or f"{clients} clients"
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    async def __call__(self, run: Run) -> Measurement:
        """Run the load; answers that arrive within the measured seconds count."""
        self._run = run
        for _ in range(self._clients):
            self._connect_after(0.0)
        await run.pause(self._warm_up)
        begin = time.perf_counter()
        run.watch.begin()
        await run.pause(self._seconds)
        end = time.perf_counter()
        run.watch.end()
        self._over = True
        # A client that waited the whole time would otherwise leave no trace.
        run.give_up(end, begin)
        await run.close(list(self._tasks))
        return run.result(self._scenario, (begin, end), by=run.ended, clients=self._clients)

    def _answered(self, connection: Connection, status: int) -> None:
        if self._over:
            return
        now = time.perf_counter()
        self._run.waiting.discard(connection)
        self._run.note(connection.due, now, status)
        if connection.usable:
            self._run.send(connection, now)
        else:
            # A server that closes connections unanswered would otherwise be flooded with new ones.
            self._connect_after(RECONNECT_SECONDS if status == BROKEN else 0.0)

    def _connect_after(self, seconds: float) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, pause: float) -> None:
        while not self._over:
            await asyncio.sleep(pause)
            if self._over:
                return
            began = time.perf_counter()
            connection = await self._run.connect(self._answered)
            if connection is not None and connection.usable:
                if not self._over:
                    self._run.send(connection, began)
                return
            self._run.note(began, time.perf_counter(), BROKEN)
            pause = RECONNECT_SECONDS
