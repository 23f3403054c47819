"""What a proxy says of its client counts if the proxy is known."""

from pathlib import Path

import pytest

from tests.service.running import serving, settings_for

FORWARDED = {"host": "localhost", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}


@pytest.mark.parametrize(
    ("allowed", "scheme"),
    [("127.0.0.1,::1", "https"), ("127.0.0.0/8", "https"), ("*", "https"), ("10.0.0.1", "http")],
)
def test_only_known_proxies_are_believed(
    allowed: str, scheme: str, bundle_path: Path, tmp_path: Path
) -> None:
    settings = settings_for(bundle_path, tmp_path, forwarded_allow_ips=allowed)
    with serving(settings) as service:
        # This answer links to the same host, by the scheme that its client used.
        answer = service.http.get("/versions/", headers=FORWARDED, follow_redirects=False)
        assert answer.headers["location"] == f"{scheme}://localhost/versions"
