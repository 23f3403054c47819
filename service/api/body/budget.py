"""The bytes that the bodies of all requests may take together."""

from threading import Lock

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Overloaded

# Bodies up to this size have a share of the budget to themselves, so that they get through while large
# ones fill the rest.
SMALL = 2**20
SHARE_OF_SMALL = 1 / 8

_KEY = "reservation"


class ByteBudget:
    """Counts the bytes of bodies that are held, and refuses what would be too much.

    A body larger than the whole budget is accepted when it is alone.

    Args:
        limit: largest number of bytes.

    Attributes:
        held: bytes that are reserved now.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._lock = Lock()

    def resize(self, before: int, after: int) -> None:
        """Change the size of a reservation.

        Raises:
            Overloaded: if there is no room; then nothing is changed.
        """
        with self._lock:
            others = self.held - before
            share = 0 if after <= SMALL else int(self.limit * SHARE_OF_SMALL)
            if after > before and others > 0 and others + after > self.limit - share:
                raise Overloaded(
                    f"the bodies of other requests take {others:,} of {self.limit:,} bytes; try again"
                )
            self.held = others + after


class Reservation:
    """What one request takes of the budget; any thread may grow it.

    Args:
        budget: the budget.
    """

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._size = 0
        self._released = False
        self._lock = Lock()

    def grow(self, size: int) -> None:
        """Take at least ``size`` bytes.

        Raises:
            Overloaded: if there is no room, or the request has ended meanwhile.
        """
        with self._lock:
            if self._released:
                raise Overloaded("the request has ended")
            if size > self._size:
                self._budget.resize(self._size, size)
                self._size = size

    def release(self) -> None:
        """Give everything back."""
        with self._lock:
            self._released = True
            self._budget.resize(self._size, 0)


def reservation_of(scope: Scope) -> Reservation:
    """The reservation of a request."""
    reservation: Reservation = scope[_KEY]
    return reservation


class BodyBudget:
    """Counts all bodies against a budget: what is announced at once, the rest as it arrives.

    Args:
        app: application to call; it meets :class:`Overloaded` where it reads a body.
        budget: the budget.
    """

    def __init__(self, app: ASGIApp, budget: ByteBudget) -> None:
        self._app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reservation = scope[_KEY] = Reservation(self._budget)
        announced = _announced(scope)
        received = 0

        async def counted() -> Message:
            nonlocal received
            reservation.grow(announced)
            message = await receive()
            received += len(message.get("body", b""))
            reservation.grow(received)
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            reservation.release()


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
