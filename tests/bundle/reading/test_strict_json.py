import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle import BundleError
from bundle.reading.strict_json import parse_json

# Strings that a parser might mistake for numbers, or for the end of a string.
WORDS = st.lists(
    st.sampled_from(["Infinity", "-Infinity", "NaN", "1e999", '"', "\\", ": ", "[", "x"]),
    max_size=4,
)
TEXTS = st.text() | WORDS.map("".join)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def json_values(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8
    )


VALUES = json_values(st.none() | st.booleans() | NUMBERS | TEXTS)


@given(VALUES)
def test_json_is_read(value: object) -> None:
    assert parse_json("text", json.dumps(value)) == value


@given(VALUES, st.sampled_from(["NaN", "Infinity", "-Infinity", "1e999", "-1e999"]), TEXTS)
def test_a_number_that_is_not_finite_is_refused(value: object, number: str, key: str) -> None:
    text = f"[{json.dumps(value)}, {{{json.dumps(key)}: {number}}}]"
    with pytest.raises(BundleError, match=f"{number} is (not a number|out of range)"):
        parse_json("text", text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "b": 2, "a": 1}', "the key 'a' is repeated"),
        ('{"x": [{"a": 1, "\\u0061": 2}]}', "the key 'a' is repeated"),
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


def test_a_repeated_key_is_found_among_many() -> None:
    keys = ", ".join(f'"{number}": 0' for number in [*range(100_000), 99_999])
    with pytest.raises(BundleError, match="the key '99999' is repeated"):
        parse_json("text", f"{{{keys}}}")
