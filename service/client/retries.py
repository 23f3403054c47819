"""Repeats requests when a service is busy or cannot be reached."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TOO_MANY_REQUESTS = 429
UNAVAILABLE = 503


@dataclass(frozen=True)
class Retries:
    """The policy for repeating a request: after 429, 503 and failed connections, with growing pauses.

    Only requests that may safely arrive twice are repeated.

    Attributes:
        attempts: maximum number of times that a request is sent.
        first: seconds before the second attempt; each further pause is twice as long.
        longest: maximum length of a pause in seconds, even if the service asks for more.
        sleep: function that waits for a number of seconds.
        announce: function that receives one line per pause.
    """

    attempts: int = 6
    first: float = 0.5
    longest: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    announce: Callable[[str], None] = lambda line: None

    def pause(self, attempt: int, retry_after: str | None, reason: str) -> bool:
        """Wait before the next attempt.

        Args:
            attempt: number of attempts that have failed, 1 or more.
            retry_after: value of the header ``Retry-After``, if there was one: seconds or a date.
            reason: why the attempt failed.

        Returns:
            Whether to send the request again; False, at once, after the last attempt.
        """
        if attempt >= self.attempts:
            return False
        seconds = max(self.first * 2.0 ** (attempt - 1), _seconds(retry_after))
        seconds = min(seconds, self.longest)
        self.announce(f"{reason}; trying again in {seconds:g} s")
        self.sleep(seconds)
        return True


NO_RETRIES = Retries(attempts=1)


def _seconds(retry_after: str | None) -> float:
    value = (retry_after or "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    # A date without a zone is in UTC.
    return (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
