import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from rn.commands import submit
from tests.rn import calling
from tests.service.pictures import flat, noise, png
from tests.service.running import Service, serving, settings_for


@pytest.fixture
def service(bundle_path: Path, tmp_path: Path) -> Iterator[Service]:
    with serving(settings_for(bundle_path, tmp_path, commit_every=8)) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty images, in folders of folders, and files that are none."""
    root = tmp_path / "images"
    for number, image in enumerate(noise(20)):
        path = root / str(number % 3) / f"{number:02}[bold].PNG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    (root / "notes.txt").write_text("no image")
    (root / "folder.png").mkdir()
    return root


def rn(*arguments: object, service: Service | None = None, status: int = 0) -> Result:
    result = calling.rn(*arguments, COLUMNS="200", RN_URL=service.url if service else None)
    assert result.exit_code == status, result.output
    if status == 1:
        assert result.stderr.startswith(f"rn {arguments[0]}: "), result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
    return result


def test_predict(service: Service, folder: Path) -> None:
    images = [folder / "0" / "00[bold].PNG", folder / "1" / "01[bold].PNG"]
    text = rn("predict", *images, service=service).stdout
    assert str(images[0]) in text and str(images[1]) in text
    answer = json.loads(rn("predict", *images, "--json", service=service).stdout)
    assert len(answer["predictions"]) == 2
    assert (
        "has no version 7"
        in rn("predict", images[0], "--version", 7, service=service, status=1).stderr
    )
    assert "cannot read" in rn("predict", "nowhere.png", service=service, status=1).stderr


def test_submitting_twice_counts_once(service: Service, folder: Path) -> None:
    first = rn("submit", folder, "--batch-size", 6, service=service).stdout
    assert "20 of 20 images admitted, 2 versions published, 0 rejected" in first
    info = service.versions()
    assert (info["serving"], info["pending"]) == (2, 0)
    again = rn("submit", folder, "--batch-size", 6, service=service).stdout
    assert again.splitlines()[-1] == first.splitlines()[-1]
    assert service.versions() == info


def test_submitting_goes_on_with_the_rest(service: Service, folder: Path) -> None:
    (folder / "0" / "00[bold].PNG").write_bytes(b"broken")
    (folder / "0" / "03[bold].PNG").write_bytes(png(flat(1)[0]))
    text = rn("submit", folder, service=service).stdout
    assert f"{folder}/0/00[bold].PNG: not admitted: image 0 is not an image" in text
    assert f"{folder}/0/03[bold].PNG: not admitted: unlike" in text
    assert "18 of 20 images admitted" in text
    text = rn("submit", folder, "--batch-size", 1, service=service).stdout
    assert "batch of" in text and "0 of 19 images admitted" in text


def test_a_batch_fits_into_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "MAX_REQUEST_BYTES", 100)
    sizes = [40, 40, 40, 300, 10, 10, 10, 10]
    files = [tmp_path / f"{number}.png" for number in range(len(sizes))]
    for path, size in zip(files, sizes, strict=True):
        path.write_bytes(bytes(size))
    batches = [[len(content) for _, content in batch] for batch in submit.batched(files, 3)]
    assert batches == [[40, 40], [40], [300], [10, 10, 10], [10]]


def test_a_folder_without_images(service: Service, tmp_path: Path) -> None:
    assert (
        "contains no images (.bmp, .gif" in rn("submit", tmp_path, service=service, status=1).stderr
    )
    nowhere = tmp_path / "nowhere"
    assert f"{nowhere} is not a folder" in rn("submit", nowhere, service=service, status=1).stderr
    (tmp_path / "a.png").write_bytes(b"broken")
    line = rn("submit", tmp_path, service=service, status=1).stderr
    assert line == f"rn submit: none of the images of {tmp_path} was accepted\n"


def test_versions_and_rollback(service: Service, folder: Path) -> None:
    rn("submit", folder, service=service)
    text = rn("versions", service=service).stdout
    assert "exported" in text and "published" in text and "served" in text
    assert "0 images pending" in text
    assert rn("rollback", service=service).stdout == "version 0 is served\n"
    assert rn("rollback", 1, service=service).stdout == "version 1 is served\n"
    assert "has no version 9" in rn("rollback", 9, service=service, status=1).stderr
    assert (
        "no target 'other'" in rn("versions", "--target", "other", service=service, status=1).stderr
    )


@pytest.mark.parametrize("command", ["versions", "rollback"])
def test_nobody_there(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert f"cannot reach {url}" in rn(command, "--url", url, status=1).stderr
