"""What a real browser makes of the pages, and of pages of others that post to the service."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from service.security.keys import new_key
from tests.service.pictures import noise
from tests.service.running import Service, serving, settings_for

KEY = new_key()

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")


class Browser:
    """Headless Chromium with a fresh profile for each page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.console = ""

    def open(self, url: str) -> str:
        """The page as it is once its scripts have run; what they wrote is in ``console``."""
        profile = self._folder / "profile"
        switches = ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run")
        quiet = ("background-networking", "component-update", "sync", "dev-shm-usage")
        command = [
            "chromium",
            *(f"--{switch}" for switch in switches),
            *(f"--disable-{service}" for service in quiet),
            "--enable-logging=stderr",
            # In virtual time: it ends once nothing is left to load and to run.
            "--virtual-time-budget=20000",
            f"--user-data-dir={profile}",
            "--dump-dom",
            url,
        ]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        shutil.rmtree(profile, ignore_errors=True)
        self.console = "\n".join(line for line in result.stderr.splitlines() if "CONSOLE" in line)
        return result.stdout


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(tmp_path)


@pytest.fixture(scope="module")
def keyed(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("keyed")
    with serving(settings_for(bundle_path, folder, predict_key=KEY)) as running:
        yield running


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
@pytest.mark.parametrize("needs_key", [False, True])
def test_pages_list_the_operations(
    path: str, needs_key: bool, browser: Browser, shared: Service, keyed: Service
) -> None:
    url = keyed.url.replace("//", f"//anybody:{KEY}@") if needs_key else shared.url
    page = browser.open(f"{url}{path}")
    # Swagger UI lets long paths break at every slash.
    shown = page.replace("<wbr>", "").replace("\u200b", "")
    for operation in ("/rollback", "/adapt", "/versions/{number}"):
        assert operation in shown, browser.console
    # The logo of ReDoc's makers, which is elsewhere, is all that the policy keeps from being loaded.
    refused = [line for line in browser.console.splitlines() if "logo-mini.svg" not in line]
    assert refused == []


def test_a_wrong_key_opens_no_page(browser: Browser, keyed: Service) -> None:
    page = browser.open(f"{keyed.url.replace('//', f'//anybody:{new_key()}@')}/docs")
    assert "swagger" not in page.lower()


class PageElsewhere(HTTPServer):
    """A server whose page sends a form to ``action`` as soon as it is opened."""

    action = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, PageElsewhere)
        form = f'<form method="post" action="{self.server.action}"></form>'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"{form}<script>document.forms[0].submit()</script>".encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[PageElsewhere]:
    with PageElsewhere() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# The first is of the service's site, as ports do not count for it, and the second is not. The last shows
# that the form would do it.
@pytest.mark.parametrize(
    ("host", "named"), [("127.0.0.1", False), ("localhost", False), ("localhost", True)]
)
def test_a_form_on_a_page_elsewhere_rolls_back_only_if_its_origin_is_named(
    host: str,
    named: bool,
    elsewhere: PageElsewhere,
    browser: Browser,
    bundle_path: Path,
    tmp_path: Path,
) -> None:
    origin = f"http://{host}:{elsewhere.server_port}"
    given = {"allowed_origins": origin} if named else {}
    with serving(settings_for(bundle_path, tmp_path, commit_every=4, **given)) as service:
        service.adapt(noise(4))
        before = service.versions()
        assert before["serving"] == 1
        elsewhere.action = f"{service.url}/rollback"
        page = browser.open(origin)
        if named:
            assert service.versions()["serving"] == 0
        else:
            assert "urn:reciprocal-norm:cross-origin-request" in page
            assert service.versions() == before
