"""Films the page of a running service for the README: ``python -m scripts.page_picture URL``.

The service has to serve the built-in example with its example images, and must have adapted to nothing yet,
as `make serve` does the first time.
"""

import argparse
import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from bench.browser import chromium

FILE = Path(__file__).parents[1] / "docs" / "page.webp"
SIZE = {"width": 1000, "height": 860}
MILLISECONDS = 1600
LAST = 4000
POSTED = 8  # lines of the story that adaptation adds


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description="Film the page for the README.")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000/")
    url = parser.parse_args().url
    with chromium() as browser:
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.goto(url)
        frames = _film(page)
    durations = [MILLISECONDS] * (len(frames) - 1) + [LAST]
    frames[0].save(
        FILE,
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        quality=80,
        method=6,
    )


def _film(page: Page) -> list[Image.Image]:
    story = page.get_by_role("list", name="What happened").get_by_role("listitem")
    expect(story).to_have_count(1, timeout=20_000)
    frames = [_frame(page)]
    seen = 1
    for button, lines in (
        ("Change the camera", 1),
        ("Adapt with", POSTED),
        ("Send junk", 1),
        ("Roll back to", 1),
    ):
        page.get_by_role("button", name=button).click()
        for number in range(seen + 1, seen + lines + 1):
            _wait_for(story, number)
            # The first batches bring the accuracy back; the others look alike.
            if lines == 1 or number - seen in (1, 2, POSTED):
                frames.append(_frame(page))
        seen += lines
    return frames


def _wait_for(story: Locator, count: int) -> None:
    expect(story.nth(count - 1)).to_be_visible(timeout=20_000)


def _frame(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


if __name__ == "__main__":
    main()
