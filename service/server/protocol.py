"""The HTTP protocol of uvicorn and httptools, with limits on time, headers and connections."""

import asyncio
import json
import re
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.api.problems import NO_KIND, title_of
from service.errors import MalformedRequest, RequestTimeout
from service.monitoring.requests import identify
from service.server.connections import Connections, Phase
from service.server.exchange import Exchange

MAX_HEADER_BYTES = 64 * 2**10

_AUTHORITY = re.compile(rb"^https?://[^/?]*", re.IGNORECASE)


class _Refusal(Exception):
    """A request whose headers are understood, but not accepted."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class BoundedProtocol(HttpToolsProtocol):
    """One connection, which waits for its client no longer than the limits allow.

    Args:
        config: configuration of the server.
        server_state: state of the server.
        app_state: state of the application's lifespan.
        connections: all connections of the server.
        count_refusal: called with the status of every answer that the application did not give.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        connections: Connections,
        count_refusal: Callable[[int], None],
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.phase: Phase | None = None
        self._all = connections
        self._count_refusal = count_refusal
        self._exchange: Exchange | None = None
        self._deaf = False
        self._in_head = False
        self._head_bytes = 0
        self._hosts = 0
        self._body_of_upgrade = False
        self._body_bytes = 0
        self._body_seconds = 0.0

    # Events of the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, or refuse if there are too many connections."""
        super().connection_made(transport)
        if self._all.make_room(self.connections):
            self._settle()
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._all.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        if self._deaf:
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # No other protocol is offered, and the request is answered as if it had not asked for one.
            self._parse_body_of_upgrade()
            rest = data[upgrade.args[0] :]
            if rest:
                self.data_received(rest)
        except httptools.HttpParserError as error:
            self._reject(error)
        else:
            if self._in_head and self._head_bytes > MAX_HEADER_BYTES:
                self._reject(_too_long())

    def pause_writing(self) -> None:
        """Limit the time in which the client has to read."""
        super().pause_writing()
        self._settle()

    def resume_writing(self) -> None:
        """Lift the limit."""
        super().resume_writing()
        self._settle()

    # Events of the parser

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._body_of_upgrade:
            return
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._hosts = 0
        self._settle()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field; those that follow a body are dropped, because the request is running."""
        if not self._in_head:
            return
        super().on_header(name, value)
        name = self.headers[-1][0]
        if name == b"host":
            self._hosts += 1
        elif name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise _Refusal(HTTPStatus.NOT_IMPLEMENTED, "the only transfer encoding is chunked")

    def on_headers_complete(self) -> None:
        """Start to answer the request."""
        if self._body_of_upgrade:
            return
        self._in_head = False
        # Four for the colon, the space and the end of the line.
        if sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEADER_BYTES:
            raise _too_long()
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise _Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "the version is not HTTP/1.1")
        if self.parser.get_method() == b"CONNECT":
            raise _Refusal(HTTPStatus.NOT_IMPLEMENTED, "this is not a proxy")
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            raise _Refusal(HTTPStatus.BAD_REQUEST, "a request needs exactly one Host")
        if not self.url.startswith(b"/"):
            rest = _AUTHORITY.sub(b"", self.url)
            self.url = rest if rest.startswith((b"/", b"*")) else b"/" + rest
        self._body_bytes, self._body_seconds = 0, 0.0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body."""
        if self.parser.should_upgrade() and self._framing():
            return
        super().on_message_complete()
        self._settle()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of the connection."""
        if self._exchange is not None and self._exchange.cycle.more_body:
            self.server_state.total_requests += 1
            self._linger()
            return
        super().on_response_complete()
        # Idle connections are closed by the sweep, which needs no timer for each.
        self._unset_keepalive_if_required()
        self._settle()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._exchange = Exchange(app, cycle, self._all)
        if self._deaf and cycle.more_body:
            self._exchange.fail(_broken_body())
        self._settle()
        super()._start_asgi_task(cycle, self._exchange)

    # What the limits ask

    def body_time(self, elapsed: float) -> float:
        """Add time since the last sweep, unless the client waited for the application."""
        cycle = self.cycle
        if not self.flow.read_paused and not cycle.waiting_for_100_continue:
            self._body_seconds += elapsed
        return self._body_seconds

    def body_received(self) -> int:
        """Bytes of the body that have arrived."""
        return self._body_bytes

    def unsent(self) -> int:
        """Bytes that the client has not read yet."""
        return self.transport.get_write_buffer_size()

    def expire(self) -> None:
        """End what the connection waits for, because its time is over."""
        if self.phase is Phase.BODY and self._exchange is not None:
            self._deaf = True
            self._all.leave(self)
            self._exchange.fail(RequestTimeout("the body did not arrive in time"))
        elif self.phase is Phase.HEAD and self._in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the headers did not arrive in time")
        elif self.phase in (Phase.HEAD, Phase.IDLE):
            self.transport.close()
            self._settle()
        else:
            self.drop()

    def drop(self) -> None:
        """Close the connection now."""
        self._all.leave(self)
        self.connections.discard(self)
        if self.unsent():
            # Otherwise the kernel would keep the answer, for a client that does not read it.
            reset = struct.pack("ii", 1, 0)
            link = self.transport.get_extra_info("socket")
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        self.transport.abort()

    def shutdown(self) -> None:
        """Close the connection after the answers under way."""
        if self.phase is not Phase.CLOSING:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _reject(self, error: Exception) -> None:
        """Give up the connection, after the answers under way."""
        cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else error
        self._deaf = True
        if self._running() and self._exchange is not None:
            if self._exchange.cycle.more_body:
                self._exchange.fail(_broken_body())
            self.cycle.keep_alive = False
        elif isinstance(cause, _Refusal):
            self._refuse(cause.status, cause.detail)
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, "the request is not HTTP/1.1")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer without the application, and close the connection."""
        self._count_refusal(status)
        title = title_of(status)
        request_id = identify(self.headers or ()).request_id
        problem = {"type": NO_KIND, "title": title, "status": status, "detail": detail}
        body = json.dumps({**problem, "request_id": request_id}).encode()
        retry = "retry-after: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
        head = (
            f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
            f"{retry}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self._linger()

    def _linger(self) -> None:
        """Discard what the client still sends until it has read the answer and closes."""
        self._deaf = True
        self.flow.resume_reading()
        if not self.transport.is_closing():
            self.transport.write_eof()
        self._enter(Phase.CLOSING)

    def _parse_body_of_upgrade(self) -> None:
        """Parse a body that the parser takes for the protocol that its request wished for."""
        framing = self._framing()
        if framing:
            self.parser = httptools.HttpRequestParser(self)
            self._body_of_upgrade = True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
            self._body_of_upgrade = False

    def _framing(self) -> bytes:
        """The header fields that announce a body; none if there is none."""
        framing = {b"content-length", b"transfer-encoding"}
        return b"".join(
            b"%b: %b\r\n" % (name, value)
            for name, value in self.headers
            if name in framing and value != b"0"
        )

    def _running(self) -> bool:
        exchange = self._exchange
        return exchange is not None and not exchange.cycle.response_complete

    def _settle(self) -> None:
        """Wait for what the connection now waits for."""
        if self.phase is Phase.CLOSING or self.transport.is_closing():
            phase: Phase | None = Phase.CLOSING
        elif self.flow.write_paused:
            phase = Phase.WRITE
        elif self._exchange is not None and not self._exchange.cycle.response_complete:
            phase = Phase.BODY if self._exchange.cycle.more_body else None
        else:
            phase = Phase.HEAD if self._in_head or self._exchange is None else Phase.IDLE
        if phase is not self.phase:
            self._all.leave(self) if phase is None else self._enter(phase)

    def _enter(self, phase: Phase) -> None:
        self._all.enter(self, phase, self.loop.time())


def _broken_body() -> MalformedRequest:
    return MalformedRequest("the body is not framed as its headers say")


def _too_long() -> _Refusal:
    return _Refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"the headers are larger than the {MAX_HEADER_BYTES:,} bytes that are accepted",
    )
