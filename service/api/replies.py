"""Reads requests and waits for their answers, no longer than their deadline and their client allow."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType

from fastapi import Request

from service.errors import ClientDisconnected, DeadlinePassed
from service.inference.engine import Place
from service.inference.prediction import Prediction

# Most predictions are ready before; a task that watches the connection would only cost time.
GRACE_SECONDS = 0.02


class Within:
    """A block that ends at the deadline of a place.

    Args:
        place: the place.

    Raises:
        DeadlinePassed: if the block was not left before.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._timeout = asyncio.timeout(place.deadline - time.monotonic())

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError:
            detail = f"the body did not arrive within {self._place.timeout:g} s"
            raise DeadlinePassed(detail) from None


async def wait_for(reply: Future[Prediction], request: Request, place: Place) -> Prediction:
    """The reply to a request whose body was read before.

    Args:
        reply: the reply, which a worker thread sets.
        request: the request.
        place: its place in the queue, which says until when to wait.

    Raises:
        ServiceError: what the worker answered.
        ClientDisconnected: if the client closes the connection.
        DeadlinePassed: if there is no reply in time.
    """
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()
    watchers: list[asyncio.Task[None]] = []

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    def answered(_: Future[Prediction]) -> None:
        # The loop is closed if the server stopped without waiting.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(wake)

    def watch() -> None:
        watchers.append(loop.create_task(_wake_when_gone(request, wake)))

    reply.add_done_callback(answered)
    timers = (
        loop.call_later(GRACE_SECONDS, watch),
        loop.call_later(place.deadline - time.monotonic(), wake),
    )
    try:
        await woken
    finally:
        for timer in timers:
            timer.cancel()
        for watcher in watchers:
            watcher.cancel()
    if reply.done():
        return reply.result()
    if any(watcher.done() for watcher in watchers):
        raise ClientDisconnected("the client did not wait for the prediction")
    raise DeadlinePassed(f"no prediction within {place.timeout:g} s")


async def _wake_when_gone(request: Request, wake: Callable[[], None]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    wake()
