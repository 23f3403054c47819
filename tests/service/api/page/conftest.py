"""The page in a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.service.pictures import noise, png
from tests.service.running import Service, serving, settings_for

# Two processes of tests share two processors.
TIMEOUT = 30_000
expect.set_options(timeout=TIMEOUT)
CHROMIUM = shutil.which("chromium")


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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def lent(bundle_path: Path, examples: Path, tmp_path: Path) -> Iterator[Service]:
    """A service with example images, which publishes often."""
    settings = settings_for(bundle_path, tmp_path, examples=examples, commit_every=16)
    with serving(settings) as service:
        yield service


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser without memory; nothing may go wrong in its console."""
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            said.append(message.text)

    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", note)
        yield page
    # What an answer with an error leaves there is the browser's; the page says it in its own words.
    assert [line for line in said if "Failed to load resource" not in line] == []
