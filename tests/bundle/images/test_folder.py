from pathlib import Path

import pytest
from PIL import Image

from bundle.images.folder import find_images
from bundle.images.formats import supported_suffixes


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)


def test_images_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "a/x/1.jpg", "10.jpeg", "a.png/3.tiff", ".hidden.png", ".git/4.png"):
        picture(tmp_path / name)
    (tmp_path / "b/notes.txt").write_text("not an image")
    (tmp_path / "b/Thumbs.db").write_bytes(b"")
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    (tmp_path / "b/up").symlink_to(tmp_path)
    assert list(find_images(tmp_path).paths) == [
        "10.jpeg",
        "a.png/3.tiff",
        "a/x/1.jpg",
        "b/2.PNG",
        "linked/2.PNG",
    ]


def test_links_that_lead_round_end(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / name / "1.png")
    for number in range(4):
        (tmp_path / "a" / f"to-b{number}").symlink_to(tmp_path / "b")
        (tmp_path / "b" / f"to-a{number}").symlink_to(tmp_path / "a")
    found = find_images(tmp_path).paths
    assert len(found) == 2 + 8
    assert {"a/1.png", "a/to-b3/1.png", "b/1.png", "b/to-a0/1.png"} <= set(found)


def test_other_files_are_counted_by_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundle.images.folder.plugin_hint", {".heic": "needs a plug-in"}.get)
    for name in ("1.png", "a/2.HEIC", "3.heic", "notes.txt", "README", ".hidden", ".a/4.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.setattr("bundle.images.formats.find_spec", lambda _: None)
    supported_suffixes.cache_clear()
    found = find_images(tmp_path)
    supported_suffixes.cache_clear()
    assert found.paths == ("1.png",)
    assert list(found.describe_passed_over()) == [
        "1 file was passed over, without a suffix",
        "2 files were passed over, of kind .heic, which needs a plug-in",
        "1 file was passed over, of kind .txt",
    ]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_images(tmp_path / "absent")
