from pathlib import Path

import pytest

from bundle import BundleError
from bundle.reading.regular_files import read_file


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path, "file", limit=5) == b"12345"
    assert read_file(tmp_path, "file", limit=9, size=5) == b"12345"


def test_a_file_of_another_size_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(BundleError, match="file has 5 bytes, more than the limit of 4"):
        read_file(tmp_path, "file", limit=4)
    with pytest.raises(BundleError, match="file has 5 bytes, the manifest says 6"):
        read_file(tmp_path, "file", limit=9, size=6)


@pytest.mark.parametrize("name", ["../file", "inner/../../file"])
def test_other_directories_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "bundle" / "inner").mkdir(parents=True)
    for path in (name, str(tmp_path / "file")):
        with pytest.raises(BundleError, match="out of the bundle"):
            read_file(tmp_path / "bundle", path, limit=9)
