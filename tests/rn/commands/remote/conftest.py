"""A service and a folder of images for the commands that talk to a service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.pictures import noise, png
from tests.service.running import Service, serving, settings_for


@pytest.fixture
def service(bundle_path: Path, tmp_path: Path) -> Iterator[Service]:
    """A service of its own for the test, with small limits."""
    limits = {"commit_every": 8, "max_body_bytes": 2**20}
    with serving(settings_for(bundle_path, tmp_path, **limits)) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty images in folders of folders, other files, and hidden ones."""
    root = tmp_path / "images"
    for number, image in enumerate(noise(20)):
        path = root / str(number % 3) / f"{number:02}[bold].PNG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    (root / "notes.txt").write_text("no image")
    (root / "folder.png").mkdir()
    (root / "._hidden.png").write_bytes(b"resource fork")
    (root / ".thumbnails").mkdir()
    (root / ".thumbnails" / "photo.png").write_bytes(png(noise(1, 5)[0]))
    return root
