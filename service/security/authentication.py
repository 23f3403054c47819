"""Finds out who sends a request, and holds what he may do; knows neither HTTP nor gRPC."""

import base64
import binascii
import hmac
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import MissingRole, RateLimited, Unauthenticated
from service.security.keys import ApiKey, digest_of
from service.security.rate_limits import (
    MINUTE,
    UNLIMITED,
    ByAddress,
    Clock,
    Limits,
    Meter,
    SlidingWindow,
)
from service.security.roles import ROLES, Access
from service.vocabulary import Role

MAX_FAILURES = 30  # per minute and address

_log = logging.getLogger(__name__)


# Name of whoever sends no key.
ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Attributes:
        name: name of the key; ``anonymous`` where no keys are configured, and for strangers.
        roles: what the caller may do; empty for a stranger.
        meter: counts the caller's requests and images; None: nothing is limited.
    """

    name: str
    roles: frozenset[Role]
    meter: Meter | None = None

    def require(self, access: Access) -> None:
        """Check that the caller has one of these roles.

        Raises:
            MissingRole: if there is none.
        """
        if access is not None and not access & self.roles:
            wanted = " or ".join(role for role in ROLES if role in access)
            raise MissingRole(f"the key {self.name} does not have the role {wanted}")

    def admit(self) -> None:
        """Count a request before it is read.

        Raises:
            RateLimited: if the caller's requests or images are used up.
        """
        if self.meter is not None:
            self.meter.admit()

    def charge_images(self, amount: int) -> None:
        """Count images that have arrived.

        Raises:
            RateLimited: if the caller's images are used up.
        """
        if self.meter is not None:
            self.meter.charge_images(amount)


STRANGER = Caller(ANONYMOUS, frozenset())


class Authenticator:
    """Recognizes callers by their keys; without keys, everybody may do everything.

    Args:
        keys: keys that are let in.
        anonymous: limits per address where there are no keys.
        clock: function that gives the time in seconds.
    """

    def __init__(
        self,
        keys: Sequence[ApiKey] = (),
        anonymous: Limits = UNLIMITED,
        clock: Clock = time.monotonic,
    ) -> None:
        self._callers = tuple(
            (key.digest, Caller(key.name, key.roles, _meter(key.limits, clock))) for key in keys
        )
        self._everybody = Caller(ANONYMOUS, frozenset(ROLES))
        self._addresses = (
            None if anonymous == UNLIMITED else ByAddress(lambda: Meter(anonymous, clock))
        )
        self._failures = ByAddress(lambda: SlidingWindow(MAX_FAILURES, MINUTE))
        self._clock = clock

    @property
    def has_keys(self) -> bool:
        """Whether callers need a key."""
        return bool(self._callers)

    def authenticate(
        self,
        authorization: str | None,
        api_key: str | None,
        address: str | None,
        *,
        passwords: bool = False,
    ) -> Caller:
        """Find the caller of a request.

        Args:
            authorization: value of the header ``Authorization``.
            api_key: value of the header ``X-API-Key``, used if ``authorization`` holds no key.
            address: address of the client.
            passwords: whether a key is taken as a password, too, as browsers ask for it.

        Raises:
            Unauthenticated: if there is no key, or an unknown one.
            RateLimited: instead of that, if the address has sent too many unknown keys.
        """
        if not self._callers:
            if self._addresses is None:
                return self._everybody
            meter = self._addresses.of(address)
            return Caller(self._everybody.name, self._everybody.roles, meter)
        key = _key(authorization, passwords) or api_key
        if not key:
            raise Unauthenticated("this service needs a key: send Authorization: Bearer KEY")
        caller = self._find(key)
        if caller is None:
            raise self._failure(address)
        return caller

    def recognize(
        self, authorization: str | None, api_key: str | None, address: str | None
    ) -> Caller:
        """Find the caller of a request that everybody may send; one without a key is a stranger."""
        if not self._callers:
            return self._everybody
        if authorization is None and api_key is None:
            return STRANGER
        try:
            return self.authenticate(authorization, api_key, address)
        except (Unauthenticated, RateLimited):
            return STRANGER

    def _find(self, key: str) -> Caller | None:
        digest = digest_of(key)
        found = None
        # Every key is compared, and each in constant time: how long it takes says nothing of the keys.
        for known, caller in self._callers:
            if hmac.compare_digest(known, digest):
                found = caller
        return found

    def _failure(self, address: str | None) -> Unauthenticated | RateLimited:
        # A right key is let in from any address, so that nobody can lock out those behind his proxy.
        window, now = self._failures.of(address), self._clock()
        if wait := math.ceil(window.wait(now)):
            return RateLimited(
                f"too many unknown keys from this address; try again in {wait} s", wait
            )
        window.take(1, now)
        _log.warning("unknown key from %s", address or "an unknown address")
        return Unauthenticated("the key is not known to this service")


def _meter(limits: Limits, clock: Clock) -> Meter | None:
    return None if limits == UNLIMITED else Meter(limits, clock)


def _key(authorization: str | None, passwords: bool) -> str:
    """The key in a header; empty if it holds none."""
    scheme, _, value = (authorization or "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic" if passwords:
            try:
                return base64.b64decode(value, validate=True).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return ""
        case _:
            return ""
