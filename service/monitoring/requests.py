"""What is known of the request that is being answered, for its answer, its log lines and its metrics."""

import asyncio
import re
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")

REQUEST_ID = b"x-request-id"
TRACEPARENT = b"traceparent"

# Whatever a client sends ends up in logs: no spaces, quotes or line breaks, and not much of it.
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# Version, trace, parent and flags, as W3C Trace Context has them.
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class RequestContext:
    """A request under way.

    Attributes:
        request_id: its identifier: the client's, or one that was made for it.
        trace_id: the trace that it belongs to, if the client named one.
        traceparent: the client's header, to be passed on unchanged.
        client: name of the client, once it is known.
    """

    request_id: str
    trace_id: str | None = None
    traceparent: bytes | None = None
    client: str | None = None


# An identifier has to be unique, not secret; the system's source of secrets costs as much as a route.
_RANDOM = Random()

# Tasks inherit it, threads do not; see run_in_thread.
current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


def identify(headers: Iterable[tuple[bytes, bytes]]) -> RequestContext:
    """Read the identifiers of a request from its headers, or make one.

    Args:
        headers: names in lower case, and values.
    """
    context = RequestContext("")
    for name, value in headers:
        if name == REQUEST_ID and _SANE_ID.fullmatch(value):
            context.request_id = value.decode("ascii")
        elif name == TRACEPARENT and (found := _TRACEPARENT.fullmatch(value)):
            context.trace_id, context.traceparent = found[1].decode("ascii"), value
    if not context.request_id:
        context.request_id = f"{_RANDOM.getrandbits(128):032x}"
    return context


def current_request_id() -> str | None:
    """The identifier of the request that is being answered; None outside of one."""
    context = current_request.get()
    return None if context is None else context.request_id


async def run_in_thread(executor: Executor, work: Callable[[], T]) -> T:
    """Run work of a request in a thread, whose log lines then bear its identifier too."""
    return await asyncio.get_running_loop().run_in_executor(executor, copy_context().run, work)
