import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from rn.commands.remote.events import describe
from service.schemas import EventInfo
from service.vocabulary import EventKind
from tests.rn.calling import rn
from tests.service.pictures import flat, noise
from tests.service.running import Service, serving, settings_for


@pytest.fixture(scope="module")
def service(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("events")
    with serving(settings_for(bundle_path, folder, commit_every=4)) as running:
        running.adapt(noise(4, 1))
        running.adapt(flat(6))
        running.post("/rollback")
        running.post("/freeze")
        yield running


def lines(service: Service, *arguments: object) -> list[str]:
    result = rn("events", *arguments, COLUMNS="200", RN_URL=service.url)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_the_history_reads_like_one(service: Service) -> None:
    text = lines(service)
    expected = [
        ("opened", "version 0, as exported, is served"),
        ("merged", "4 of 4 images admitted, 0 held, 4 pending"),
        ("published", "version 1, made from version 0, is served"),
        ("alarm", "6 of 6 images are unlike the images admitted before"),
        ("rolled back", "version 0 is served instead of version 1"),
        ("frozen", "adaptation is switched off"),
    ]
    _, *rows = text
    assert len(rows) == len(expected)
    for row, words in zip(rows, expected, strict=True):
        assert all(word in row for word in words), row


def test_pages_and_json(service: Service) -> None:
    page = json.loads("\n".join(lines(service, "--limit", 2, "--json")))
    assert [event["kind"] for event in page["events"]] == ["rolled_back", "frozen"]
    assert lines(service, "--limit", 2)[-1] == f"earlier ones: rn events --before {page['earlier']}"
    text = lines(service, "--after", page["latest"])
    assert len(text) == 1
    first = lines(service, "--after", 0, "--limit", 2)
    assert first[-1] == "later ones: rn events --after 2"
    assert len(lines(service, "--after", 0)) == 7


def test_a_version_that_was_rejected_says_why() -> None:
    event = EventInfo(id=1, at="", kind="rejected", version=3, reason="information fell")
    assert describe(event) == "version 3: information fell"


@pytest.mark.parametrize("kind", get_args(EventKind))
def test_every_kind_has_words(kind: EventKind) -> None:
    assert describe(EventInfo(id=1, at="", kind=kind, alarm="x"))
