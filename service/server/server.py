"""The server: uvicorn with bounded connections, which announces its end before it stops."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from service.api.problems import NO_KIND
from service.lifespan import Resources
from service.server.connections import Connections, Limits
from service.server.listening import connections_possible
from service.server.protocol import BoundedProtocol
from service.settings import Settings


class Server(uvicorn.Server):
    """Serves an application until a signal or :meth:`stop` ends it.

    On SIGTERM the service reports that it is not ready, but takes requests for ``shutdown_delay_seconds``
    more, so that a load balancer can turn away first; on SIGINT, or a second signal, it stops at once.
    Then it listens no longer, and what is under way is answered within ``drain_seconds``.

    Args:
        app: ASGI application.
        settings: settings of the service.
        announce_end: called when the end begins; readiness should fail from then.
        count_refusal: called with the status of every answer that the application did not give.
    """

    def __init__(
        self,
        app: Any,
        settings: Settings,
        *,
        announce_end: Callable[[], None] = lambda: None,
        count_refusal: Callable[[int], None] = lambda _: None,
    ) -> None:
        limits = Limits(
            connections=min(settings.max_connections, connections_possible()),
            header_seconds=settings.header_timeout_seconds,
            body_seconds=settings.body_timeout_seconds,
            body_rate=settings.body_min_rate,
            idle_seconds=settings.idle_timeout_seconds,
        )
        self._open = Connections(limits)
        protocol = partial(BoundedProtocol, connections=self._open, count_refusal=count_refusal)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=cast(type[asyncio.Protocol], protocol),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=settings.forwarded_allow_ips,
            timeout_graceful_shutdown=settings.drain_seconds,
        )
        super().__init__(config)
        self._delay = settings.shutdown_delay_seconds
        self._announce_end = announce_end
        self._stop_at: float | None = None

    def stop(self) -> None:
        """Stop without delay; may be called from any thread."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end."""
        if sig != signal.SIGTERM or self._stop_at is not None:
            super().handle_exit(sig, frame)
            return
        self._captured_signals.append(sig)
        self._end()
        self._stop_at = time.monotonic() + self._delay

    async def on_tick(self, counter: int) -> bool:
        """Close what has waited too long, and report whether to stop."""
        now = asyncio.get_running_loop().time()
        self._open.sweep(now)
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no longer, and answer what is under way."""
        self._end()
        await super().shutdown(sockets)

    def _end(self) -> None:
        self._open.closing_down = True
        self._announce_end()


def make_server(app: FastAPI) -> Server:
    """The server of the service's application.

    Args:
        app: what :func:`service.app.create_app` made.
    """
    resources: Resources = app.state.resources
    server = Server(
        app,
        resources.settings,
        announce_end=resources.announce_end,
        count_refusal=lambda status: resources.metrics.count_problem(status, NO_KIND),
    )
    connections = server.server_state.connections
    resources.metrics.connections.set_function(lambda: len(connections))
    return server
