"""One request and its answer, between the connection and the application."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.errors import ServiceError
from service.server.connections import Connections


class Exchange:
    """Calls the application for one request; what goes wrong with the body reaches whoever reads it.

    Args:
        app: application to call.
        cycle: the server's side of the exchange.
        connections: all connections of the server.

    Attributes:
        fault: what is wrong with the rest of the body; raised where the application reads it, so that it
            is answered like every other error.
    """

    def __init__(self, app: Any, cycle: RequestResponseCycle, connections: Connections) -> None:
        self._app = app
        self.cycle = cycle
        self._all = connections
        self.fault: ServiceError | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the application."""
        await self._app(scope, self._receive, self._send)

    def fail(self, fault: ServiceError) -> None:
        """Give up the rest of the body."""
        self.fault = fault
        self.cycle.message_event.set()

    async def _receive(self) -> Any:
        message = await self.cycle.receive()
        if self.fault is not None and message["type"] == "http.request":
            raise self.fault
        return message

    async def _send(self, message: Any) -> None:
        cycle = self.cycle
        if message["type"] != "http.response.start":
            await cycle.send(message)
            return
        # What follows an answer that came before the end of the body cannot be understood as a request.
        early = cycle.more_body
        if early or self._all.closing_down:
            close = (b"connection", b"close")
            message = {**message, "headers": [*message.get("headers", ()), close]}
        await cycle.send(message)
        if early:
            # The connection itself decides when to close.
            cycle.keep_alive = True
