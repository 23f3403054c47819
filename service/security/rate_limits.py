"""Limits on requests and images per client, counted in sliding windows of bounded size."""

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Generic, TypeVar

from service.errors import RateLimited

T = TypeVar("T")

SECOND, MINUTE, DAY = 1.0, 60.0, 86400.0
SLOTS = 60

Clock = Callable[[], float]


@dataclass(frozen=True)
class Limits:
    """Limits of one client; None: unlimited.

    Attributes:
        requests_per_second: requests in one second.
        images_per_minute: images in one minute.
        images_per_day: images in 24 hours.
    """

    requests_per_second: int | None = None
    images_per_minute: int | None = None
    images_per_day: int | None = None


UNLIMITED = Limits()


class SlidingWindow:
    """Counts in a window that moves with time, in slots of a sixtieth of it.

    A slot counts until all of it has left the window, so that the limit holds for every window.

    Args:
        limit: count at which nothing more is taken.
        period: length of the window in seconds.
    """

    def __init__(self, limit: int, period: float) -> None:
        self._limit = limit
        self._slot = period / SLOTS
        self._counts: deque[tuple[int, int]] = deque()  # Number of a slot, and its count.
        self._total = 0

    def wait(self, now: float) -> float:
        """Seconds until something can be taken; 0 if it can be taken now."""
        self._forget(now)
        left, end = self._total, 0.0
        for number, count in self._counts:
            if left < self._limit:
                break
            left -= count
            end = (number + SLOTS + 1) * self._slot
        return max(0.0, end - now)

    def take(self, amount: int, now: float) -> None:
        """Count an amount, even beyond the limit."""
        current = self._forget(now)
        if self._counts and self._counts[-1][0] == current:
            self._counts[-1] = (current, self._counts[-1][1] + amount)
        else:
            self._counts.append((current, amount))
        self._total += amount

    def _forget(self, now: float) -> int:
        """Forget slots that have left the window; returns the number of the current one."""
        current = int(now // self._slot)
        while self._counts and current - self._counts[0][0] > SLOTS:
            self._total -= self._counts.popleft()[1]
        return current


class Meter:
    """Counts the requests and images of one client against its limits.

    An image is counted once it has arrived, so that a request is only refused if nothing is left: the
    request that exceeds a quota is still answered.

    Args:
        limits: limits of the client.
        clock: function that gives the time in seconds.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._requests = _windows((limits.requests_per_second, SECOND, "requests per second"))
        self._images = _windows(
            (limits.images_per_minute, MINUTE, "images per minute"),
            (limits.images_per_day, DAY, "images per day"),
        )

    def admit(self) -> None:
        """Count a request; called before anything of its body is read.

        Raises:
            RateLimited: if no request, or no image, is left.
        """
        with self._lock:
            now = self._clock()
            for window, limit in (*self._requests, *self._images):
                _check(window, limit, now)
            for window, _ in self._requests:
                window.take(1, now)

    def charge_images(self, amount: int) -> None:
        """Count images that have arrived.

        Raises:
            RateLimited: if other requests used up what was left.
        """
        with self._lock:
            now = self._clock()
            for window, limit in self._images:
                _check(window, limit, now)
            for window, _ in self._images:
                window.take(amount, now)


class ByAddress(Generic[T]):
    """One thing per client address; the least recently used ones are dropped beyond a number.

    Args:
        make: function that makes the thing of a new address.
        capacity: maximum number of addresses to remember.
    """

    def __init__(self, make: Callable[[], T], capacity: int = 16384) -> None:
        self._make = make
        self._capacity = capacity
        self._things: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._things)

    def of(self, address: str | None) -> T:
        """The thing of an address; the addresses of one IPv6 network (/64) share one."""
        name = _network(address or "")
        with self._lock:
            thing = self._things.get(name)
            if thing is None:
                thing = self._things[name] = self._make()
                if len(self._things) > self._capacity:
                    self._things.popitem(last=False)
            else:
                self._things.move_to_end(name)
            return thing


def _windows(*given: tuple[int | None, float, str]) -> tuple[tuple[SlidingWindow, str], ...]:
    return tuple(
        (SlidingWindow(limit, period), f"{limit:,} {unit}")
        for limit, period, unit in given
        if limit is not None
    )


def _check(window: SlidingWindow, limit: str, now: float) -> None:
    wait = window.wait(now)
    if wait > 0:
        seconds = max(1, math.ceil(wait))
        raise RateLimited(f"more than {limit}; try again in {seconds} s", seconds)


def _network(address: str) -> str:
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped
    return parsed.packed[:8].hex() if mapped is None else str(mapped)
