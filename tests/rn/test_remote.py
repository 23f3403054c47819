import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rn.commands import remote as requests
from rn.main import app
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
    environment = {"COLUMNS": "200", "RN_URL": service.url if service else None}
    result = CliRunner().invoke(app, [str(a) for a in arguments], env=environment)
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    if status == 1:
        assert result.stderr.startswith("rn: ") and result.stderr.count("\n") == 1, result.stderr
    return result


@pytest.fixture(autouse=True)
def _console(monkeypatch: pytest.MonkeyPatch) -> None:
    # rich looks for the terminal's width once, when the module is imported.
    monkeypatch.setattr(requests.console, "_width", 200)


def test_help_lists_all_commands() -> None:
    text = rn("--help").stdout
    commands = ["adapt", "export", "serve", "predict", "submit", "versions", "rollback", "doctor"]
    commands += ["inspect", "diff", "sign"]
    assert all(f" {command} " in text for command in commands)


def test_commands_of_bundles_are_found(bundle_path: Path, tmp_path: Path) -> None:
    assert "2 normalization layers" in rn("inspect", bundle_path).stdout
    assert rn("diff", bundle_path, bundle_path).stdout == "the same\n"
    assert "1 if they differ" in " ".join(rn("diff", "--help").stdout.split())
    result = CliRunner().invoke(app, ["sign", str(bundle_path), "--key", str(tmp_path / "key")])
    assert result.exit_code == 1 and "rn sign: cannot read" in result.stderr


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
    monkeypatch.setattr(requests, "MAX_REQUEST_BYTES", 100)
    sizes = [40, 40, 40, 300, 10, 10, 10, 10]
    files = [tmp_path / f"{number}.png" for number in range(len(sizes))]
    for path, size in zip(files, sizes, strict=True):
        path.write_bytes(bytes(size))
    batches = [[len(content) for _, content in batch] for batch in requests.batched(files, 3)]
    assert batches == [[40, 40], [40], [300], [10, 10, 10], [10]]


def test_a_folder_without_images(service: Service, tmp_path: Path) -> None:
    assert "holds no image (.bmp, .gif" in rn("submit", tmp_path, service=service, status=1).stderr
    nowhere = tmp_path / "nowhere"
    assert f"{nowhere} is not a folder" in rn("submit", nowhere, service=service, status=1).stderr
    (tmp_path / "a.png").write_bytes(b"broken")
    line = rn("submit", tmp_path, service=service, status=1).stderr
    assert line == f"rn: no image of {tmp_path} was taken\n"


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


def test_doctor(bundle_path: Path, tmp_path: Path) -> None:
    text = rn("doctor", "--bundle", bundle_path).stdout
    assert "runs on CPUExecutionProvider" in text
    assert f"ok   bundle {bundle_path}: small, 3 classes, 2 sites" in text
    result = CliRunner().invoke(app, ["doctor", "--bundle", str(tmp_path)])
    assert result.exit_code == 1
    assert f"FAIL bundle {tmp_path}: cannot read manifest.json" in result.stdout
