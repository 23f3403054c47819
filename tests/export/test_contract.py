import doctest
import json
from pathlib import Path

import pytest

from bundle import Preprocessing
from export import ExportError, contract
from export.contract import IMAGENET, describe_preprocessing, read_classes, read_preprocessing
from tests.contracts import SMALL


def test_classes_by_file_name_and_number(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("\ufeffgrey cat\ndog, small\n", encoding="utf-8")
    assert read_classes(str(file)) == ("grey cat", "dog, small")
    file.write_bytes(b"cat\r\ndog\r\n")
    assert read_classes(str(file)) == ("cat", "dog")
    assert read_classes("cat,dog , bee") == ("cat", "dog", "bee")
    assert read_classes("3") == ("0", "1", "2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cat\n\ndog\n", "label 2 is empty"),
        (b"cat\ndog\ncat\n", "the label cat is given twice"),
        (b"\x89PNG\xff", "not a text file with one label per line"),
    ],
)
def test_wrong_files_of_classes(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(ExportError, match=message):
        read_classes(str(tmp_path / "classes.txt"))


def test_classes_that_are_neither() -> None:
    with pytest.raises(ExportError, match=r"there is no file absent\.txt: give a file with"):
        read_classes("absent.txt")
    with pytest.raises(ExportError, match="label 2 is empty"):
        read_classes("cat,,dog")


def test_preprocessing_by_name_file_and_fields(tmp_path: Path) -> None:
    assert read_preprocessing("imagenet") == IMAGENET
    for name in ("mine.json", "mine.yaml"):
        (tmp_path / name).write_text(SMALL.preprocessing.model_dump_json())
        assert read_preprocessing(str(tmp_path / name)) == SMALL.preprocessing
    fields = json.dumps(SMALL.preprocessing.model_dump(mode="json"))
    assert read_preprocessing(fields) == SMALL.preprocessing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("absent.yaml", "there is no file absent.yaml: give imagenet"),
        ("{mode: RGB, height: 8, width: 8, std: [1, 1, 1]}", "preprocessing: mean: Field required"),
        ("{mode: L, height: 8", "preprocessing: while parsing a flow mapping"),
        ("{mode: L, height: 8, width: 8, mean: [0], std: [0]}", "preprocessing: std.0: Input"),
        ("{mode: L, height: 8, width: 8, mean: [], std: []}", "preprocessing: Value error, mode L"),
    ],
)
def test_wrong_preprocessing(text: str, message: str) -> None:
    with pytest.raises(ExportError) as caught:
        read_preprocessing(text)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_contract_in_a_few_words() -> None:
    stretched = Preprocessing(mode="L", height=8, width=6, mean=(0.0,), std=(1.0,))
    assert describe_preprocessing(stretched) == "L, stretched to 8x6, bilinear"


def test_examples_print_what_they_say() -> None:
    found = doctest.testmod(contract)
    assert found.attempted == 3 and not found.failed
