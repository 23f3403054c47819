"""Connections to PostgreSQL on which nothing waits for ever.

A server that is paused, or behind a network that drops packets, neither answers nor closes its connections.
An emergency stop must get past it, so every wait ends after a time; the connection is given up then.
"""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy.event
from sqlalchemy import Engine
from sqlalchemy.engine import URL

# How long one answer of the server may take; a wait for a lock is cut into pieces that are shorter.
ANSWER_SECONDS = 10.0
# What a URL may say otherwise; seconds, but for the third of the time-outs, which is in milliseconds.
OPTIONS = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


_limit = threading.local()


@contextmanager
def answers_within(seconds: float) -> Iterator[None]:
    """A block in which this thread waits for no answer of the server longer than that."""
    before = getattr(_limit, "seconds", ANSWER_SECONDS)
    _limit.seconds = seconds
    try:
        yield
    finally:
        _limit.seconds = before


def with_options(url: URL) -> URL:
    """The URL with the time-outs of connections, but for those that it has already."""
    return url.update_query_dict({name: OPTIONS[name] for name in OPTIONS if name not in url.query})


def limit_waits(engine: Engine) -> None:
    """Let no connection that the engine makes from now on wait for an answer for too long."""
    import psycopg

    class Limited(psycopg.Connection[Any]):
        """A connection that is closed when the server does not answer in time."""

        def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
            return super().wait(self._limited(gen), *args, **kwargs)

        def _limited(self, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
            end = time.monotonic() + getattr(_limit, "seconds", ANSWER_SECONDS)
            try:
                wanted = next(steps)
                while True:
                    # Nothing is ready, every now and then.
                    ready = yield wanted
                    if not ready and time.monotonic() > end:
                        self.pgconn.finish()
                        raise psycopg.OperationalError("the server does not answer")
                    wanted = steps.send(ready)
            except StopIteration as finished:
                return finished.value

    def connect(_: Any, __: Any, arguments: Any, options: Any) -> Any:
        return Limited.connect(*arguments, **options)

    # Those that were made before have no limit.
    engine.dispose()
    sqlalchemy.event.listen(engine, "do_connect", connect)
