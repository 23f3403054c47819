"""One HTTP connection: sends prepared requests, one at a time, and reports how each was answered."""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from rn.load.measurement import BROKEN
from rn.load.sending.request import Address

Answered = Callable[["Connection", int], None]


class Connection(asyncio.Protocol):
    """A connection that is kept alive between requests.

    Args:
        answered: called once per request with the status of the answer, BROKEN if the connection
            was lost before the answer was complete.

    Attributes:
        usable: whether another request can be sent.
        due: when the last request was due, as a time of ``time.perf_counter``.
        body: body of the last answer, if it is kept.
    """

    def __init__(self, answered: Answered, *, keep_body: bool = False) -> None:
        self._answered = answered
        self._keep_body = keep_body
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting = False
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.usable = False
        self.due = 0.0
        self.body = b""

    def send(self, request: bytes, due: float) -> None:
        """Send a request; the one before it must have been answered."""
        assert self._transport is not None and self.usable and not self._waiting
        self._waiting = True
        self.due = due
        self.body = b""
        self._transport.write(request)

    def close(self) -> None:
        """Close the connection; a request without an answer is reported as BROKEN."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def when_closed(self, call: Callable[["Connection"], None]) -> None:
        """Call a function with this connection once it is closed."""
        self._lost.add_done_callback(lambda _: call(self))

    async def closed(self) -> None:
        """Wait until the connection is closed."""
        await self._lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's transports have the methods of asyncio's, but not their class.
        self._transport = cast(asyncio.Transport, transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        self.usable = False
        self._lost.set_result(None)
        self._report(BROKEN)

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        if self._keep_body:
            self.body += data

    def on_message_complete(self) -> None:
        """Called by the parser."""
        status = self._parser.get_status_code()
        if status < 200:
            return
        if not self._parser.should_keep_alive():
            self.close()
        self._report(status)

    def _report(self, status: int) -> None:
        if self._waiting:
            self._waiting = False
            self._answered(self, status)


async def connect(
    address: Address, answered: Answered, *, keep_body: bool = False
) -> Connection | None:
    """A new connection; None if the server does not take it."""
    loop = asyncio.get_running_loop()
    try:
        _, connection = await loop.create_connection(
            lambda: Connection(answered, keep_body=keep_body),
            address.host,
            address.port,
            ssl=address.tls,
        )
    except OSError:
        return None
    return connection
