"""Headers that keep browsers from doing more with an answer than showing it."""

Header = tuple[bytes, bytes]

# For answers that are data: a browser that opens one runs nothing, loads nothing and frames nothing.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)

# Added unless an answer states its own.
DEFAULTS: tuple[Header, ...] = (
    (b"content-security-policy", DATA_POLICY.encode()),
    (b"cache-control", b"no-store"),
)


def with_security_headers(headers: list[Header]) -> list[Header]:
    """The headers of an answer, given with names in lower case, and those of this module."""
    named = {name for name, _ in headers}
    return [*headers, *HEADERS, *(header for header in DEFAULTS if header[0] not in named)]


def security_headers() -> dict[str, str]:
    """The headers of an answer that has none of its own."""
    return {name.decode(): value.decode() for name, value in with_security_headers([])}
