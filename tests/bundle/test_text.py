import subprocess
import sys

import pytest

from bundle.text import describe_error, single_line


def test_a_message_becomes_one_line() -> None:
    assert describe_error(ValueError("  no\tsize:\n\n   3\r\nrows ")) == "no size: 3 rows"
    assert single_line("one\n two") == "one two"


def test_an_error_without_a_message_is_named_by_its_type() -> None:
    assert describe_error(ValueError()) == "ValueError"
    assert describe_error(KeyError(), kind=True) == "KeyError"
    assert describe_error(MemoryError("\n"), first_line=True) == "MemoryError"


@pytest.mark.parametrize("text", ["refused\nSELECT secret", "\n refused \nSELECT secret"])
def test_the_background_of_an_error_can_be_omitted(text: str) -> None:
    assert describe_error(RuntimeError(text), first_line=True) == "refused"


def test_the_kind_counts_towards_the_limit() -> None:
    assert describe_error(ValueError("wrong"), kind=True) == "ValueError: wrong"
    assert describe_error(ValueError("wrong"), kind=True, limit=12) == "ValueError: "
    assert describe_error(ValueError("wrong"), limit=3) == "wro"


def test_text_is_importable_without_a_runtime() -> None:
    heavy = ("onnxruntime", "numpy", "onnx", "pydantic")
    code = (
        "import sys, bundle.text, bundle.errors;"
        f"found = set({heavy}) & set(sys.modules); sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
