"""What is observed of every request: its identifier, its time, and a line in the log."""

import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.monitoring.exchanges import OTHER
from service.monitoring.logs import log_event
from service.monitoring.metrics import Metrics
from service.monitoring.requests import REQUEST_ID, TRACEPARENT, current_request, identify
from service.monitoring.tracing import tracing

logger = logging.getLogger("service.access")

# Nobody read the answer, or there was none.
_NO_ANSWER = 499


class RequestObserver:
    """Identifies every request, answers with its identifier, and counts it once it is answered.

    Args:
        app: application to call.
        metrics: metrics of the application.
        log: whether every request is a line of the log.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, log: bool) -> None:
        self._app = app
        self._exchanges = metrics.exchanges
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        request = identify(scope["headers"])
        current_request.set(request)
        tracing.identify()
        added = [(REQUEST_ID, request.request_id.encode("ascii"))]
        if request.traceparent is not None:
            added.append((TRACEPARENT, request.traceparent))
        status = _NO_ANSWER

        async def send_identified(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        under_way = self._exchanges.under_way
        under_way.inc()
        try:
            await self._app(scope, receive, send_identified)
        except Exception:
            # The framework answers above this; see service.api.problems.
            status = 500
            raise
        finally:
            under_way.dec()
            self._finish(scope, status, perf_counter() - started)

    def _finish(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", OTHER)
        self._exchanges.observe(route, scope["method"], status, seconds)
        if self._log:
            method, path = scope["method"], scope["path"]
            fields = {"method": method, "path": path, "status": status}
            milliseconds = round(seconds * 1e3, 3)
            message = f"{method} {path} {status}"
            log_event(logger, logging.INFO, "request", message, **fields, milliseconds=milliseconds)
