import csv
import json
from pathlib import Path

from tests.rn.commands.remote.running import rn
from tests.service.running import Service


def test_files_in_a_table(service: Service, folder: Path) -> None:
    images = [folder / "0" / "00[bold].PNG", folder / "1" / "01[bold].PNG"]
    text = rn("predict", *images, service=service).stdout
    assert str(images[0]) in text and str(images[1]) in text
    line = rn("predict", images[0], "--version", 7, service=service, status=1).stderr
    assert "has no version 7" in line


def test_folders_keep_their_order_over_several_requests(service: Service, folder: Path) -> None:
    whole = json.loads(rn("predict", folder, "--json", service=service).stdout)
    assert [Path(row["file"]).name[:2] for row in whole["predictions"]] == [
        f"{number:02}" for third in range(3) for number in range(third, 20, 3)
    ]
    parts = json.loads(rn("predict", folder, "--json", "--batch-size", 3, service=service).stdout)
    assert [row["label"] for row in parts["predictions"]] == [
        row["label"] for row in whole["predictions"]
    ]
    assert (whole["version"], whole["skipped"]) == (0, [])


def test_csv_has_a_row_per_file(service: Service, folder: Path) -> None:
    result = rn("predict", folder / "0", folder / "1" / "01[bold].PNG", "--csv", service=service)
    header, *rows = csv.reader(result.stdout.splitlines())
    assert header == ["file", "label", "probability", "version"]
    assert len(rows) == 8 and rows[-1][0] == str(folder / "1" / "01[bold].PNG")
    assert all(0 < float(row[2]) <= 1 and row[3] == "0" for row in rows)
    line = rn("predict", folder, "--csv", "--json", service=service, status=1).stderr
    assert line == "rn predict: --json and --csv exclude each other\n"


def test_a_bad_file_fails_only_itself(service: Service, folder: Path) -> None:
    (folder / "0" / "03[bold].PNG").write_bytes(b"broken")
    (folder / "large.tif").write_bytes(bytes(2**21))
    result = rn("predict", folder, "nowhere.png", "--json", service=service, status=3)
    answer = json.loads(result.stdout)
    assert len(answer["predictions"]) == 19
    skipped = {Path(row["file"]).name: row["reason"] for row in answer["skipped"]}
    assert skipped["03[bold].PNG"].startswith("is not an image")
    assert skipped["large.tif"].startswith("the body is larger")
    assert skipped["nowhere.png"] == "cannot be read: No such file or directory"
    assert "rn predict: nowhere.png: skipped: cannot be read" in result.stderr
    assert "of kind .txt" in result.stderr


def test_no_file_at_all(service: Service, tmp_path: Path) -> None:
    lines = rn("predict", "nowhere.png", service=service, status=1).stderr.splitlines()
    assert lines[-1] == "rn predict: none of 1 files could be labelled"
    empty = tmp_path / "empty"
    empty.mkdir()
    line = rn("predict", empty, service=service, status=1).stderr
    assert line == f"rn predict: {empty} contains no images\n"


def test_a_pipe_gets_whole_lines(service: Service, folder: Path) -> None:
    deep = folder / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)
    (folder / "0" / "00[bold].PNG").rename(deep / "image.png")
    lines = rn("predict", folder, service=service).stdout.splitlines()
    assert len(lines) == 21
    assert any(line.startswith(str(deep / "image.png")) for line in lines)
    assert lines == [line.rstrip() for line in lines]
