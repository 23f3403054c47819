import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle import BundleError
from bundle.reading.files import parse_json, read_file

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path, "file", limit=5) == b"12345"
    assert read_file(tmp_path, "file", limit=9, size=5) == b"12345"


def test_a_file_of_another_size_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(BundleError, match="file has 5 bytes, at most 4 are read"):
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


@given(VALUES)
def test_json_is_read(value: object) -> None:
    text = json.dumps(value)
    if "Infinity" in text:
        with pytest.raises(BundleError, match="is not a number"):
            parse_json("text", text)
    else:
        assert parse_json("text", text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "b": 2, "a": 1}', "the key 'a' comes twice"),
        ('{"x": [{"a": 1, "\\u0061": 2}]}', "the key 'a' comes twice"),
        ("[NaN]", "NaN is not a number"),
        ("-Infinity", "-Infinity is not a number"),
        ("[" * 10**6, "recursion"),
        ('{"a":' * 10**6, "recursion"),
        ("1" * 5000, "digits"),
        ("{", "Expecting"),
        (b"\xff\xff", "decode"),
    ],
)
def test_what_is_not_clear_json_is_refused(text: bytes | str, reason: str) -> None:
    with pytest.raises(BundleError, match=f"^text is not JSON: .*{reason}"):
        parse_json("text", text)


def test_a_key_that_comes_twice_is_found_among_many() -> None:
    keys = ", ".join(f'"{number}": 0' for number in [*range(100_000), 99_999])
    with pytest.raises(BundleError, match="the key '99999' comes twice"):
        parse_json("text", f"{{{keys}}}")
