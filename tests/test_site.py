"""The documentation site: it builds without a warning, and needs no internet to be read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.api_page import PAGE, make_page
from service.security.roles import ROUTES

ROOT = Path(__file__).parents[1]
FETCHED = re.compile(r"""<(?:script|link|img|source|iframe)\b[^>]*(?:src|href)="(?:https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "docs", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_there_and_can_be_found(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"README"}
    assert pages <= {path.stem for path in site.glob("*.html")}
    index = (site / "searchindex.js").read_text()
    assert all(f'"{page}"' in index for page in pages)
    assert "probat" in index and (site / "search.html").is_file()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for path in site.glob("*.html"):
        assert not FETCHED.search(path.read_text()), path.name


def test_pages_are_light_and_dark(site: Path) -> None:
    assert 'class="theme-toggle"' in (site / "index.html").read_text()


def test_equations_are_drawn_by_the_browser(site: Path) -> None:
    page = (site / "method.html").read_text()
    assert page.count("<math") > 15 and "$" not in re.sub(
        r"<script.*?</script>", "", page, flags=re.S
    )


def test_the_library_is_described(site: Path) -> None:
    page = (site / "python.html").read_text()
    for name in ("rn_model.ReciprocalNorm2d", "service.client.Client.adapt", "make_objective"):
        assert name in page


def test_the_page_of_the_api_agrees_with_the_code() -> None:
    assert PAGE.read_text() == make_page(), "run `make docs`"
    # Those of the Open Inference Protocol have a page of their own.
    for method, path in ROUTES:
        hidden = path.startswith(("/v2", "/docs", "/redoc", "/openapi", "/static", "/page"))
        assert hidden or path in ("/", "/metrics") or f"### `{method} {path}`" in make_page()
