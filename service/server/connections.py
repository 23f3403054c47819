"""The connections of a server by what they wait for: which to close when time or room runs out."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Protocol

# An answer that is sent before the whole body has arrived would be lost if the connection were closed at
# once: the kernel answers what still arrives with a reset, and the client's kernel then drops the answer.
LINGER_SECONDS = 10.0


class Phase(Enum):
    """What a connection waits for."""

    HEAD = auto()
    """A first request, or the rest of the headers of one."""
    IDLE = auto()
    """The next request."""
    BODY = auto()
    """The rest of a body."""
    WRITE = auto()
    """The client to read its answer."""
    CLOSING = auto()
    """The client to read the last answer and to close the connection."""


@dataclass(frozen=True)
class Limits:
    """Limits of a server's connections; times are in seconds.

    Attributes:
        connections: largest number at once.
        header_seconds: time for the headers of a request, and for the first request of a connection.
        body_seconds: time for a body, beyond what it takes at ``body_rate``; also the longest time that
            a client may leave an answer unread.
        body_rate: slowest rate of a body, in bytes per second.
        idle_seconds: time between two requests.
    """

    connections: int
    header_seconds: float
    body_seconds: float
    body_rate: float
    idle_seconds: float


class Connection(Protocol):
    """What :class:`Connections` needs to know of a connection."""

    phase: Phase | None

    def body_time(self, elapsed: float) -> float:
        """Seconds that the client took for its body, after adding those since the last sweep."""

    def body_received(self) -> int:
        """Bytes of the body that have arrived."""

    def unsent(self) -> int:
        """Bytes that the client has not read yet."""

    def expire(self) -> None:
        """End what the connection waits for, because its time is over."""

    def drop(self) -> None:
        """Close the connection now."""


class Connections:
    """All connections of a server, by phase, each phase in the order in which it was entered.

    Args:
        limits: limits of the connections.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.closing_down = False
        self._since: dict[Phase, dict[Connection, float]] = {phase: {} for phase in Phase}
        self._seconds = {
            Phase.HEAD: limits.header_seconds,
            Phase.IDLE: limits.idle_seconds,
            Phase.WRITE: limits.body_seconds,
            Phase.CLOSING: LINGER_SECONDS,
        }
        self._swept = 0.0

    def enter(self, connection: Connection, phase: Phase, now: float) -> None:
        """Let a connection wait for something else from now."""
        self.leave(connection)
        connection.phase = phase
        self._since[phase][connection] = now

    def leave(self, connection: Connection) -> None:
        """Let a connection wait for nothing."""
        if connection.phase is not None:
            self._since[connection.phase].pop(connection, None)
            connection.phase = None

    def sweep(self, now: float) -> None:
        """End what has waited too long."""
        for phase, seconds in self._seconds.items():
            for connection in list(self._older(phase, now - seconds)):
                connection.expire()
        elapsed, self._swept = now - self._swept, now
        for connection, since in list(self._since[Phase.BODY].items()):
            taken = connection.body_time(min(elapsed, now - since))
            allowed = connection.body_received() / self.limits.body_rate + self.limits.body_seconds
            if taken > allowed:
                connection.expire()

    def make_room(self, opened: Sized) -> bool:
        """Close the connections that have been idle longest until the open ones are not too many.

        Args:
            opened: the open connections; one that is dropped leaves it.

        Returns:
            Whether that was enough.
        """
        while len(opened) > self.limits.connections:
            idle = self._longest_idle()
            if idle is None:
                return False
            idle.drop()
        return True

    def _older(self, phase: Phase, than: float) -> Iterator[Connection]:
        for connection, since in self._since[phase].items():
            if since > than:
                return
            yield connection

    def _longest_idle(self) -> Connection | None:
        for connection in self._since[Phase.CLOSING]:
            if not connection.unsent():
                return connection
        waiting = [
            item
            for phase in (Phase.HEAD, Phase.IDLE)
            for item in islice(self._since[phase].items(), 1)
        ]
        return min(waiting, key=lambda item: item[1])[0] if waiting else None
