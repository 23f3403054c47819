from pathlib import Path

import pytest

from rn_model.data import DataError
from rn_model.data.formats.lists import open_list
from tests.rn_model.data.pictures import picture


def _list(tmp_path: Path, *lines: str) -> Path:
    for line in lines:
        name = line.split(".png")[0].strip()
        picture(tmp_path / "root" / f"{name}.png")
    path = tmp_path / "list.txt"
    path.write_text("# a comment\n\n" + "\r\n".join(lines) + "\n")
    return path


def test_folders_in_a_list_name_its_labels(tmp_path: Path) -> None:
    path = _list(
        tmp_path, "amazon/bike/my photo.png 2", "amazon/mug/b.png\t0", "amazon/bike/c.png 2"
    )
    found = open_list(path, tmp_path / "root", labels=None, classes=None)
    assert found.labels is not None
    assert found.labels.tolist() == [2, 0, 2]
    assert found.classes == ("mug", "1", "bike")


def test_folders_that_do_not_fit_the_labels_name_nothing(tmp_path: Path) -> None:
    path = _list(tmp_path, "c/touring-bike/a.png 1", "c/mountain-bike/b.png 1", "c/horse/c.png 0")
    found = open_list(path, tmp_path / "root", labels=None, classes=None)
    assert found.classes is None


def test_classes_of_a_list_may_be_given(tmp_path: Path) -> None:
    path = _list(tmp_path, "a.png 1", "b.png mug")
    found = open_list(path, tmp_path / "root", labels=None, classes=("mug", "bike"))
    assert found.labels is not None
    assert (found.labels.tolist(), found.classes) == ([1, 0], ("mug", "bike"))


def test_a_list_may_lack_labels(tmp_path: Path) -> None:
    path = _list(tmp_path, "x/a b.png", "x/c.png 7")
    found = open_list(path, tmp_path / "root", labels=False, classes=None)
    assert (len(found.pictures), found.labels, found.classes) == (2, None, None)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a.png", r'list\.txt:4: .* is not of the form "path label"'),
        ("a.png x", r"list\.txt:4: label 'x' is not an integer of 0 or more"),
        ("a.png -1", r"list\.txt:4: label '-1' is not an integer"),
        ("a.png 3", r"list\.txt:4: label 3 is out of range for 2 classes \(0 to 1\)"),
        ("a.png ²", r"list\.txt:4: label"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = _list(tmp_path, "a.png 0", line)
    with pytest.raises(DataError, match=complaint):
        open_list(path, tmp_path / "root", labels=None, classes=("mug", "bike"))


def test_an_invalid_list_is_an_error(tmp_path: Path) -> None:
    path = _list(tmp_path, "a.png 0", "b.png 1")
    root = tmp_path / "root"
    with pytest.raises(DataError, match=r"list file not found: .*gone"):
        open_list(tmp_path / "gone.txt", root, labels=None, classes=None)
    with pytest.raises(DataError, match=r"folder not found: .*gone"):
        open_list(path, tmp_path / "gone", labels=None, classes=None)
    (root / "b.png").unlink()
    with pytest.raises(DataError, match=r"lists 1 files that do not exist in .*root.*: b\.png"):
        open_list(path, root, labels=None, classes=None)
    assert len(open_list(path, root, labels=None, classes=None, complete=False).pictures) == 2
    path.write_text("# nothing\n")
    with pytest.raises(DataError, match="contains no images"):
        open_list(path, root, labels=None, classes=None)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="cannot read list file"):
        open_list(path, root, labels=None, classes=None)
