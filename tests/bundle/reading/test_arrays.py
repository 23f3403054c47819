import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from safetensors.numpy import save

from bundle import BundleError, files, load_bundle
from bundle.reading.arrays import MAX_HEADER, read_arrays
from tests.bundle.tampering import refusal, replace_arrays

ARRAYS = arrays(
    np.float32, array_shapes(min_dims=1, max_side=4), elements=st.floats(-1, 1, width=32)
)


@given(st.dictionaries(st.text("abc.", min_size=1), ARRAYS, max_size=4))
def test_every_array_is_found_at_its_place(
    written: dict[str, NDArray[np.float32]],
) -> None:
    content = save(written)
    found, places = read_arrays("file", content)
    assert found.keys() == written.keys() == places.keys()
    for name, array in written.items():
        np.testing.assert_array_equal(found[name], array)
        begin, length = places[name]
        assert content[begin : begin + length] == array.tobytes()


def packed(text: str, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode() + data


def entry(begin: int, end: int) -> str:
    size = (end - begin) // 4
    return json.dumps({"dtype": "F32", "shape": [size], "data_offsets": [begin, end]})


BROKEN = {
    "overlapping": packed(f'{{"a": {entry(0, 8)}, "b": {entry(4, 12)}}}', bytes(12)),
    "the same place": packed(f'{{"a": {entry(0, 4)}, "b": {entry(0, 4)}}}', bytes(4)),
    "a hole": packed(f'{{"a": {entry(0, 4)}, "b": {entry(8, 12)}}}', bytes(12)),
    "beyond the end": packed(f'{{"a": {entry(0, 8)}}}', bytes(4)),
    "the same name": packed(f'{{"a": {entry(0, 4)}, "a": {entry(4, 8)}}}', bytes(8)),
    "deep": packed("[" * 100_000),
    "a list": packed("[]"),
    "short": b"1234567",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_files_that_are_not_safetensors(kind: str) -> None:
    with pytest.raises(BundleError, match="file"):
        read_arrays("file", BROKEN[kind])


def test_a_repeated_name_is_reported() -> None:
    with pytest.raises(
        BundleError, match="the header of file is not JSON: the key 'a' is repeated"
    ):
        read_arrays("file", BROKEN["the same name"])


def test_a_header_that_is_too_long() -> None:
    with pytest.raises(BundleError, match=f"its header claims {MAX_HEADER + 1} bytes"):
        read_arrays("file", packed("{}".ljust(MAX_HEADER + 1)))
    assert read_arrays("file", packed("{}".ljust(MAX_HEADER))).arrays == {}


@pytest.mark.parametrize("name", [files.PREDICT_WEIGHTS, files.BASE])
def test_nan_values_are_refused(path: Path, name: str) -> None:
    weight = load_bundle(path).predict_arrays["network.head.weight"].copy()
    weight[0, 0] = np.nan
    replace_arrays(path, name, **{"network.head.weight": weight})
    assert refusal(path) == f"{name}: 'network.head.weight' holds NaN values"


@pytest.mark.parametrize("key", [files.TARGET_MEAN, files.SOURCE_VARIANCE])
def test_moments_out_of_range(path: Path, key: str) -> None:
    replace_arrays(path, files.BASE, **{key: np.full(9, 1e39)})
    assert refusal(path) == f"base.safetensors: {key} exceeds the range of single precision"
