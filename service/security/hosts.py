"""Names and addresses under which the service may be called.

A web page can have its own name resolve to the address of a service that only its visitor reaches (DNS
rebinding). The browser then takes both for one site, but it still sends the page's name as ``Host``.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

from service.errors import MalformedRequest, MisdirectedRequest

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]\\,]+)(?::([0-9]{0,5}))?")
_ANY = "*"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address, or a name, without a port."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def split_authority(authority: str) -> tuple[str, str]:
    """Host in lower case, and port or an empty text, of a value such as ``Example.org:8000``.

    Raises:
        ValueError: if it is neither a name nor an address, with a port or without.
    """
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise ValueError(f"not a host: {authority!r}")
    return found[1].lower().rstrip("."), found[2] or ""


class AllowedHosts:
    """Decides whether a request may name a host.

    Addresses and the names of the loopback interface are always allowed: nobody can have them resolve to
    anything else.

    Args:
        names: names that are allowed; ``*.example.org`` stands for all names below ``example.org``, and
            ``*`` for all names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        lowered = [name.strip().lower().rstrip(".") for name in names]
        self._every = _ANY in lowered
        self._exact = {name for name in lowered if not name.startswith("*")}
        self._suffixes = tuple(name[1:] for name in lowered if name.startswith("*."))
        self.check = lru_cache(1024)(self._check)

    def _check(self, authority: str) -> None:
        """Check the value of a ``Host`` header.

        Raises:
            MalformedRequest: if it is not a host.
            MisdirectedRequest: if it is not allowed.
        """
        try:
            host, _ = split_authority(authority)
        except ValueError:
            raise MalformedRequest("the header Host is not a host") from None
        if not (self._every or self._allows(host)):
            raise MisdirectedRequest(
                f"this service does not answer as {host[:100]}; name it in RN_ALLOWED_HOSTS if it should"
            )

    def _allows(self, host: str) -> bool:
        if host in self._exact or host.endswith(self._suffixes or "/") or is_loopback(host):
            return True
        try:
            ip_address(host.strip("[]"))
        except ValueError:
            return False
        return True
