import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle import BundleError, Manifest, files, load_bundle
from bundle.writing.storage import describe_files, write_bundle


def parts(bundle: Path) -> tuple[Manifest, dict[str, bytes]]:
    manifest = load_bundle(bundle).manifest
    return manifest, {name: (bundle / name).read_bytes() for name in manifest.files}


def snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else b""
        for path in directory.rglob("*")
    }


def failing(function: Callable[..., None], number: int) -> Callable[..., None]:
    """The real function until the call with this number, in which the disk is full."""
    calls = iter(range(number))

    def call(*args: object) -> None:
        if next(calls, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        function(*args)

    return call


def test_a_written_bundle_is_the_same(small_bundle: Path, tmp_path: Path) -> None:
    manifest, contents = parts(small_bundle)
    write_bundle(tmp_path / "deep" / "copy", manifest, contents)
    assert snapshot(tmp_path / "deep" / "copy") == snapshot(small_bundle)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["copy"]
    assert (tmp_path / "deep" / "copy").stat().st_mode & 0o777 == 0o755


def test_files_are_described(small_bundle: Path) -> None:
    manifest, contents = parts(small_bundle)
    assert describe_files(contents) == manifest.files


def test_an_existing_path_is_not_replaced_unasked(small_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(BundleError, match="already exists"):
        write_bundle(tmp_path / "taken", *parts(small_bundle))


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_only_a_bundle_is_replaced(small_bundle: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photos"
    if kind == "directory":
        path.mkdir()
        (path / "first.png").write_bytes(b"dear")
    else:
        path.write_bytes(b"dear")
    before = snapshot(tmp_path)
    with pytest.raises(BundleError, match="is not a bundle and will not be replaced"):
        write_bundle(path, *parts(small_bundle), replace=True)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("linked", [False, True])
def test_a_bundle_is_replaced(
    small_bundle: Path, wide_bundle: Path, tmp_path: Path, linked: bool
) -> None:
    path = tmp_path / "model"
    write_bundle(path, *parts(wide_bundle))
    if linked:
        (tmp_path / "link").symlink_to(path)
    write_bundle(tmp_path / "link" if linked else path, *parts(small_bundle), replace=True)
    assert snapshot(path) == snapshot(small_bundle)
    assert {entry.name for entry in tmp_path.iterdir()} == {"model"} | (
        {"link"} if linked else set()
    )


# Every file, with the manifest and its checksum; the directory; the directory it is in.
SYNCS = len(files.REQUIRED) + 3 + 2


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("number", range(SYNCS))
def test_a_full_disk_leaves_everything_as_it_was(
    small_bundle: Path,
    wide_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    replace: bool,
) -> None:
    manifest, contents = parts(small_bundle)
    if replace:
        write_bundle(tmp_path / "model", *parts(wide_bundle))
    before = snapshot(tmp_path)
    monkeypatch.setattr(os, "fsync", failing(os.fsync, number))
    with pytest.raises(OSError, match="No space left"):
        write_bundle(tmp_path / "model", manifest, contents, replace=replace)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("number", [0, 1])
def test_a_failed_rename_leaves_everything_as_it_was(
    small_bundle: Path,
    wide_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    write_bundle(tmp_path / "model", *parts(wide_bundle))
    before = snapshot(tmp_path)
    calls = iter(range(10))
    rename = Path.rename

    def fail_once(self: Path, target: Path) -> Path:
        if next(calls) == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OSError, match="Input/output error"):
        write_bundle(tmp_path / "model", *parts(small_bundle), replace=True)
    assert snapshot(tmp_path) == before


def test_all_syncs_were_counted(
    small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(os.fsync, SYNCS))
    write_bundle(tmp_path / "model", *parts(small_bundle))
    assert snapshot(tmp_path / "model") == snapshot(small_bundle)
