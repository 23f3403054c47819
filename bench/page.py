"""Size of the page, and how long a browser needs for it: ``python -m bench.page URL``.

A page is ready when it has asked for all that it shows and follows the service. Each load begins with an
empty cache. The time is given beside that of loading an empty answer of the same service.
"""

import argparse
import gzip
import json
import statistics
import time
from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from bench.browser import chromium


def main() -> None:
    """Print size and times."""
    parser = argparse.ArgumentParser(description="Measure the page of a running service.")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000")
    parser.add_argument("--loads", type=int, default=15, help="number of loads")
    arguments = parser.parse_args()
    with chromium() as browser:
        size = _compressed_size(browser, arguments.url)
        ready = _times(browser, arguments.loads, lambda page: _open(page, arguments.url))
        empty = _times(
            browser, arguments.loads, lambda page: page.goto(f"{arguments.url}/health/live")
        )
    found = {
        "compressed_bytes": size,
        "ready_seconds": round(statistics.median(ready), 3),
        "ready_seconds_max": round(max(ready), 3),
        "empty_seconds": round(statistics.median(empty), 3),
    }
    print(json.dumps(found, indent=2))


def _open(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_text("live", exact=True)).to_be_visible()


def _compressed_size(browser: Browser, url: str) -> int:
    bodies: list[bytes] = []
    with browser.new_context() as context:
        page = context.new_page()
        _open(page, url)
        files = page.evaluate("performance.getEntriesByType('resource').map((each) => each.name)")
        for address in (url, *(name for name in files if "/page/" in name)):
            bodies.append(context.request.get(address).body())
    return sum(len(gzip.compress(body)) for body in bodies)


def _times(browser: Browser, loads: int, visit: Callable[[Page], object]) -> list[float]:
    times = []
    for _ in range(loads):
        with browser.new_context() as context:
            page = context.new_page()
            begun = time.perf_counter()
            visit(page)
            times.append(time.perf_counter() - begun)
    return times


if __name__ == "__main__":
    main()
