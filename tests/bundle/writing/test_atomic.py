import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundle.writing.atomic import write_directory, write_file


@contextmanager
def _no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"first", b"", b"\0second"):
        write_file(path, content)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_file(path, b"old")
    with _no_file_larger_than(1000), pytest.raises(OSError, match="File too large"):
        write_file(path, bytes(2000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "taken", b"content")
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "gone" / "file", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_readers_of_the_old_file_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_file(path, b"old")
    with path.open("rb") as file:
        write_file(path, b"new")
        assert file.read() == b"old"


def test_a_directory_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "directory"
    write_directory(path, {"a": b"1", "inner/b": b"2"})
    write_directory(path, {"c": b"3"})
    assert {p.name: p.read_bytes() for p in path.iterdir()} == {"c": b"3"}
    assert list(path.parent.iterdir()) == [path]


def test_a_directory_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "directory"
    write_directory(path, {"a": b"old"})
    with _no_file_larger_than(1000), pytest.raises(OSError, match="File too large"):
        write_directory(path, {"a": b"new", "b": bytes(2000)})
    assert {p.name: p.read_bytes() for p in path.iterdir()} == {"a": b"old"}
    assert list(tmp_path.iterdir()) == [path]
