"""Tells requests that a web page of another site makes a browser send from all others.

A form on any page can post to a service that its visitor reaches, without asking it first. In such
requests, browsers name the origin of the page, or how it relates to the service; programs send neither.
"""

from collections.abc import Collection

from service.errors import CrossOriginRequest
from service.security.hosts import split_authority

# Methods that change nothing.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_OWN_SITES = ("same-origin", "none")
DEFAULT_PORTS = {"http": "80", "https": "443"}


def check_origin(
    origin: str | None,
    site: str | None,
    *,
    authority: str | None,
    scheme: str,
    allowed: Collection[str] = (),
) -> None:
    """Check that a request was not sent by a page of another origin.

    Args:
        origin: value of the header ``Origin``.
        site: value of the header ``Sec-Fetch-Site``.
        authority: value of the header ``Host``.
        scheme: scheme of the request, ``http`` or ``https``.
        allowed: other origins whose pages may send requests, in lower case.

    Raises:
        CrossOriginRequest: if it was, or may have been.
    """
    if origin is None and site is None:
        return
    if origin is not None and origin.lower() in allowed:
        return
    if site is not None and site.lower() not in _OWN_SITES:
        raise CrossOriginRequest(
            "a page of another site sent this request; name its origin in RN_ALLOWED_ORIGINS if it may"
        )
    if origin is not None and not _is_own(origin, authority, scheme):
        raise CrossOriginRequest(
            f"a page of {origin[:100]!r} sent this request; name it in RN_ALLOWED_ORIGINS if it may"
        )


def _is_own(origin: str, authority: str | None, scheme: str) -> bool:
    kind, separator, place = origin.lower().partition("://")
    if not separator or authority is None or kind not in DEFAULT_PORTS:
        return False
    # A proxy that ends TLS may not say so. The reverse does not happen.
    if kind != scheme and kind != "https":
        return False
    try:
        (host, port), (own_host, own_port) = split_authority(place), split_authority(authority)
    except ValueError:
        return False
    default = DEFAULT_PORTS[kind]
    return host == own_host and (port or default) == (own_port or default)
