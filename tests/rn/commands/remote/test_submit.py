import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rn.commands.remote.sending import Sending
from rn.commands.remote.submit import Submission
from service.client import Client, ClientError, Retries
from tests.rn.commands.remote.running import rn
from tests.service.pictures import flat, noise, png
from tests.service.running import Service


def test_submitting_twice_counts_once(service: Service, folder: Path) -> None:
    first = rn("submit", folder, "--batch-size", 6, service=service).stdout
    assert f"{folder}: 1 file was passed over, of kind .txt" in first
    assert "20 images sent: 20 admitted, 0 not admitted; 0 held" in first
    assert "versions: 2 published, 0 proposed, 0 rejected; version 2 is served" in first
    info = service.versions()
    assert (info["serving"], info["pending"]) == (2, 0)
    again = rn("submit", folder, "--batch-size", 6, service=service).stdout
    assert again.splitlines()[-2:] == first.splitlines()[-2:]
    assert service.versions() == info


def test_submitting_goes_on_with_the_rest(service: Service, folder: Path) -> None:
    (folder / "0" / "00[bold].PNG").write_bytes(b"broken")
    (folder / "0" / "03[bold].PNG").write_bytes(png(flat(1)[0]))
    text = rn("submit", folder, service=service, status=3).stdout
    assert f"{folder}/0/00[bold].PNG: skipped: is not an image in a supported format" in text
    assert f"{folder}/0/03[bold].PNG: not admitted: unlike" in text
    assert "19 images sent: 18 admitted, 1 not admitted; 1 held" in text
    assert "skipped 1 file: is not an image" in text
    text = rn("submit", folder, "--batch-size", 1, service=service, status=3).stdout
    assert text.count("skipped: ") == 1 and "19 images sent: 0 admitted" in text


def test_files_that_are_too_large_are_skipped_by_name(service: Service, folder: Path) -> None:
    for number, size in enumerate((2**20, 3 * 2**20)):
        (folder / f"0-{number}.tif").write_bytes(bytes(size))
    text = rn("submit", folder, service=service, status=3).stdout
    for number in range(2):
        assert f"{folder}/0-{number}.tif: skipped: the body is larger than the 1,048,576" in text
    assert "skipped 2 files: the body is larger than" in text
    assert "20 images sent: 20 admitted" in text


def test_an_enormous_file_is_not_even_read(service: Service, folder: Path) -> None:
    with (folder / "0" / "film.png").open("wb") as file:
        file.truncate(2**40)  # a sparse file
    text = rn("submit", folder, service=service, status=3).stdout
    assert "film.png: skipped: has 1,099,511,627,776 bytes; at most 268,435,456 are sent" in text
    assert "20 images sent: 20 admitted" in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_skipped(service: Service, folder: Path) -> None:
    (folder / "0" / "00[bold].PNG").chmod(0)
    text = rn("submit", folder, service=service, status=3).stdout
    assert "00[bold].PNG: skipped: cannot be read: Permission denied" in text
    assert "19 images sent: 19 admitted" in text


def test_a_link_that_leads_nowhere_is_skipped(service: Service, folder: Path) -> None:
    (folder / "0" / "lost.png").symlink_to(folder / "nowhere.png")
    text = rn("submit", folder, service=service, status=3).stdout
    assert "lost.png: skipped: cannot be read: No such file or directory" in text
    assert "20 images sent: 20 admitted" in text


def test_every_file_of_a_bad_batch_has_its_own_reason(service: Service, folder: Path) -> None:
    bad = folder / "bad"
    bad.mkdir()
    (bad / "a.png").write_bytes(b"")
    (bad / "b.png").write_bytes(b"broken")
    text = rn("submit", bad, service=service, status=1)
    assert f"{bad}/a.png: skipped: is empty" in text.stdout
    assert f"{bad}/b.png: skipped: is not an image" in text.stdout
    assert text.stderr == f"rn submit: none of the images of {bad} could be used\n"


def test_a_folder_without_images(service: Service, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "contains no images (" in rn("submit", empty, service=service, status=1).stderr
    (empty / "notes.md").touch()
    line = rn("submit", empty, service=service, status=1).stderr
    assert "1 file was passed over, of kind .md" in line and line.count("\n") == 1
    nowhere = tmp_path / "nowhere"
    assert f"{nowhere} is not a folder" in rn("submit", nowhere, service=service, status=1).stderr


def test_a_service_that_does_not_adapt_ends_the_command(service: Service, folder: Path) -> None:
    service.post("/freeze")
    result = rn("submit", folder, service=service, status=1)
    assert "adaptation is frozen" in result.stderr and "skipped" not in result.output


def test_a_batch_that_fails_in_the_middle_says_where(folder: Path) -> None:
    """The service goes away after the first batch; what was sent is summed up."""
    answers: Iterator[int] = iter((200, 503, 503))
    body = {
        "target": "default",
        "received": 6,
        "admitted": 6,
        "held": 0,
        "refused": [],
        "pending": 6,
        "serving": 0,
    }

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(next(answers), json=body)

    pauses: list[float] = []
    retries = Retries(attempts=2, sleep=pauses.append)
    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as http,
        Client("http://service", http=http, retries=retries) as client,
    ):
        submission = Submission(lambda line: None, batch_size=6)
        files = sorted(folder.glob("?/*.PNG"))
        answered = submission.send(client, files)
        next(answered)
        with pytest.raises(ClientError, match="503"):
            next(answered)
    assert pauses == [0.5] and submission.done == 6
    assert next(submission.summarize()).startswith("6 images sent: 6 admitted")


def test_reasons_are_counted_by_kind() -> None:
    lines: list[str] = []
    sending = Sending(lines.append)
    for number in range(3):
        sending.skip(Path(f"{number}.png"), f"image {number} has {number} pixels; at most 2 are")
    sending.skip(Path("x.png"), "image 4 is empty")
    assert lines[1] == "1.png: skipped: has 1 pixels; at most 2 are"
    assert list(sending.summarize()) == [
        "skipped 3 files: has ... pixels",
        "skipped 1 file: is empty",
    ]


def test_batches_are_the_same_when_files_are_sent_again(service: Service, folder: Path) -> None:
    """A file that fails does not move the others into new batches, whose images would count twice."""
    (folder / "0" / "06[bold].PNG").write_bytes(b"broken")
    (folder / "0" / "large.tif").write_bytes(bytes(2**21))
    rn("submit", folder, "--batch-size", 5, service=service, status=3)
    info = service.versions()
    again = rn("submit", folder, "--batch-size", 5, service=service, status=3).stdout
    assert "19 images sent: 19 admitted, 0 not admitted" in again
    assert service.versions() == info


def test_grey_maps_are_sent_like_in_training(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "scans" / "scan.pgm"
    path.parent.mkdir()
    path.write_bytes(png(noise(1)[0], "PPM"))
    assert "1 images sent: 1 admitted" in rn("submit", path.parent, service=service).stdout
