"""The page, as a visitor, an operator and somebody without a mouse use it."""

import gzip
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from service.inference.sessions import Session
from service.security.keys import new_key
from tests.service.api.page.conftest import opened
from tests.service.online_targets import Fixed
from tests.service.pictures import noise, png
from tests.service.running import Service, serving, settings_for

ROOT = Path(__file__).parents[4]
AXE = ROOT / "page" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("try", "versions", "versions/1", "drift", "traffic", "history")
DESKTOP, PHONE = (1280, 900), (375, 800)
MAX_COMPRESSED = 300_000


def open_page(page: Page, service: Service, view: str = "") -> None:
    """Open the page, and wait until it is up to date."""
    page.goto(f"{service.url}/{view and f'#/{view}'}")
    expect(page.get_by_text("live", exact=True)).to_be_visible()


def test_the_story_of_a_changed_camera(page: Page, lent: Service) -> None:
    open_page(page, lent)
    lines = page.get_by_role("list", name="What happened").get_by_role("listitem")
    expect(lines).to_have_count(1)
    assert "version 0" in lines.first.inner_text()
    page.get_by_role("button", name="Change the camera").click()
    expect(lines).to_have_count(2)
    page.get_by_role("button", name="Adapt with").click()
    # 48 of the 96 examples are posted, in two requests.
    expect(lines).to_have_count(4)
    serving = lent.versions()["serving"]
    assert serving > 0
    expect(page.get_by_test_id("serving")).to_have_text(str(serving))
    page.get_by_role("button", name="Send junk").click()
    expect(lines).to_have_count(5)
    assert "images of noise posted" in lines.last.inner_text()
    page.get_by_role("button", name="Roll back to version 0").click()
    expect(lines).to_have_count(6)
    expect(page.get_by_test_id("serving")).to_have_text("0")
    last = lent.http.get("/events", params={"limit": 1}).json()["events"][-1]
    assert (last["kind"], last["reason"]) == ("rolled_back", "tried on the page")


def test_the_service_sees_what_the_page_shows(page: Page, lent: Service) -> None:
    # With the first camera, the page sends the very pixels of the files.
    open_page(page, lent)
    expect(page.get_by_test_id("accuracy")).to_contain_text("%")
    examples = lent.resources.examples
    assert examples is not None
    found = lent.predict(examples.pixels[:48])["predictions"]
    right = sum(each["label"] == label for each, label in zip(found, examples.labels, strict=False))
    expect(page.get_by_test_id("accuracy")).to_have_text(f"{100 * right / 48:.1f} %")


def test_one_image_and_many(page: Page, lent: Service, tmp_path: Path) -> None:
    files = []
    for number, image in enumerate(noise(20, seed=9)):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(png(image))
    (tmp_path / "broken.png").write_bytes(b"no image")
    open_page(page, lent)
    page.get_by_label("Drop or paste an image").set_input_files(files[0])
    label = lent.predict(noise(20, seed=9)[:1])["predictions"][0]["label"]
    expect(page.get_by_test_id("label")).to_have_text(label)
    page.get_by_label("Drop many images").set_input_files([*files, tmp_path / "broken.png"])
    expect(page.get_by_text("21 of 21 posted, 20 admitted, 1 not")).to_be_visible()
    expect(page.get_by_text("unreadable")).to_be_visible()


def test_what_others_do_is_shown_at_once(page: Page, lent: Service) -> None:
    open_page(page, lent, "versions")
    expect(page.get_by_role("link", name="version 0, exported, served")).to_be_visible()
    lent.adapt(noise(16))
    expect(page.get_by_role("link", name="version 1, published, served")).to_be_visible()


def test_an_operator_leaves_reasons(page: Page, lent: Service) -> None:
    lent.adapt(noise(16))
    open_page(page, lent, "versions")
    page.get_by_label("Reason").fill("the lens was cleaned")
    page.get_by_role("button", name="Freeze", exact=True).click()
    expect(page.get_by_test_id("mode")).to_have_text("auto frozen")
    page.get_by_role("button", name="Unfreeze").click()
    expect(page.get_by_test_id("mode")).to_have_text("auto")
    page.get_by_label("Mode").select_option("shadow")
    expect(page.get_by_test_id("mode")).to_have_text("shadow")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_test_id("serving")).to_have_text("0")
    page.get_by_role("link", name="version 1, published").click()
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("This version is served.")).to_be_visible()
    events = lent.http.get("/events").json()["events"]
    done = {event["kind"]: event["reason"] for event in events}
    for kind in ("frozen", "unfrozen", "mode", "rolled_back", "promoted"):
        assert done[kind] == "the lens was cleaned", kind


def test_domains_get_names(page: Page, lent: Service) -> None:
    open_page(page, lent, "versions")
    name = page.get_by_label("name of domain 0")
    name.fill("day")
    name.press("Enter")
    page.get_by_label("kept").check()
    expect(page.get_by_role("link", name="version 0, exported, served, day")).to_be_visible()
    expect(page.get_by_label("kept")).to_be_checked()
    (domain,) = lent.http.get("/domains").json()["domains"]
    assert (domain["name"], domain["pinned"]) == ("day", True)


def test_one_key_labels_an_image(page: Page, lent: Service) -> None:
    lent.adapt(noise(16))
    # This network says the same of all noise, before and after: here, two that never agree.
    target = lent.resources.models.default.targets.default
    target.served._cache[0] = Session(0, Fixed(0, 9.0))
    target.served.serve(Session(1, Fixed(1, 9.0)))
    before = lent.http.get("/versions/1/evidence").json()
    assert before["images"]
    open_page(page, lent, "versions/1")
    evidence = page.get_by_role("region", name="Evidence")
    expect(evidence.get_by_role("status")).to_contain_text("after 0 labels")
    page.keyboard.press("2")
    expect(evidence.get_by_role("status")).to_contain_text("after 1 labels")
    first, *_ = before["images"]
    left = lent.http.get("/versions/1/evidence").json()["images"]
    assert first["id"] not in [each["id"] for each in left]


def test_a_link_shows_the_story_of_a_version(page: Page, lent: Service) -> None:
    lent.adapt(noise(16))
    open_page(page, lent, "versions/1")
    expect(page.get_by_role("heading", name="Version 1")).to_be_visible()
    for fact in lent.versions()["versions"][1]["scores"]:
        expect(
            page.get_by_role("rowheader", name=fact.replace("_", " "), exact=True)
        ).to_be_visible()
    expect(page.get_by_role("heading", name="Evidence")).to_be_visible()
    page.goto(f"{lent.url}/#/versions/99")
    expect(page.get_by_text("has no version 99")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(scheme: str, browser: Browser, lent: Service) -> None:
    lent.adapt(noise(16))
    lent.predict(noise(3))
    for width, height in (DESKTOP, PHONE):
        viewport = {"width": width, "height": height}
        with opened(browser, color_scheme=scheme, viewport=viewport) as page:
            for view in VIEWS:
                open_page(page, lent, view)
                expect(page.get_by_text("Loading…")).to_have_count(0)
                page.evaluate(AXE.read_text())
                found = page.evaluate("axe.run()")["violations"]
                serious = [
                    (each["id"], [node["html"] for node in each["nodes"]])
                    for each in found
                    if each["impact"] in ("serious", "critical")
                ]
                assert serious == [], f"{view} at {width}"
                sizes = "[document.documentElement.scrollWidth, innerWidth]"
                content, window = page.evaluate(sizes)
                assert content <= window, f"{view} at {width} is wider than the window"


def test_a_key_is_asked_for(browser: Browser, bundle_path: Path, tmp_path: Path) -> None:
    key = new_key()
    settings = settings_for(bundle_path, tmp_path, operate_key=key)
    with serving(settings) as service, opened(browser) as page:
        page.goto(service.url)
        field = page.get_by_label("This service needs a key")
        for tried in (new_key(), key):
            field.fill(tried)
            page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_text("live", exact=True)).to_be_visible()
        expect(page.get_by_test_id("serving")).to_have_text("0")
        expect(field).to_have_count(0)


def test_it_is_small_and_asks_nobody_else(page: Page, lent: Service) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, lent)
    assert all(url.startswith((lent.url, "blob:", "data:")) for url in asked)
    files = [url for url in asked if "/page/" in url or url == f"{lent.url}/"]
    assert len(files) >= 3
    size = sum(len(gzip.compress(lent.http.get(url).content)) for url in files)
    assert size < MAX_COMPRESSED


def test_it_stands_under_the_path_of_a_proxy(
    browser: Browser, bundle_path: Path, tmp_path: Path
) -> None:
    with (
        serving(settings_for(bundle_path, tmp_path, root_path="/rn")) as service,
        opened(browser) as page,
    ):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{service.url}/rn/")
        expect(page.get_by_text("live", exact=True)).to_be_visible()
        assert all(url.startswith(f"{service.url}/rn/") for url in asked)
