"""The page in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from bench.browser import CHROMIUM, chromium
from tests.service.pictures import noise, png
from tests.service.running import Service, serving, settings_for

# Two processes of tests share two processors.
TIMEOUT = 30_000
expect.set_options(timeout=TIMEOUT)


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled example images of the small bundle."""
    folder = tmp_path_factory.mktemp("examples")
    for number, image in enumerate(noise(96, seed=5)):
        place = folder / ("left", "right", "none")[number % 3]
        place.mkdir(exist_ok=True)
        (place / f"{number}.png").write_bytes(png(image))
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with chromium() as browser:
        yield browser


@pytest.fixture
def lent(bundle_path: Path, examples: Path, tmp_path: Path) -> Iterator[Service]:
    """A service with example images, which publishes often."""
    settings = settings_for(bundle_path, tmp_path, examples=examples, commit_every=16)
    with serving(settings) as service:
        yield service


@contextmanager
def opened(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page of a browser without memory, with options of :meth:`Browser.new_context`."""
    with browser.new_context(**options) as context:
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        yield page


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser without memory; nothing may go wrong in its console."""
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            said.append(message.text)

    with opened(browser) as page:
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", note)
        yield page
    # What an answer with an error leaves there is the browser's; the page says it in its own words.
    assert [line for line in said if "Failed to load resource" not in line] == []
