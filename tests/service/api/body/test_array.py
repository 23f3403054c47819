"""Whatever the header of an array claims, it is an array or one clear line."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle import Pixels
from service.api.body.array import read_array
from service.errors import InvalidContent
from tests.contracts import SMALL
from tests.service.pictures import noise, npy

sides = st.one_of(
    st.integers(),
    st.booleans(),
    st.none(),
    st.floats(),
    st.integers(min_value=0).map(lambda n: 16 ** (n % 9000)),
    st.sampled_from([0, 1, 6, 8, -1, 2**31, 2**63]),
)
shapes = st.one_of(
    st.tuples(sides, st.just(8), st.just(6), st.just(1)),
    st.lists(sides, max_size=6).map(tuple),
    st.recursive(sides, lambda inner: st.lists(inner, max_size=3), max_leaves=10),
)
types = st.sampled_from(
    [
        "|u1",
        "u1",
        "<f4",
        "|b1",
        "|O",
        "V1",
        [("a", "|u1")],
        [("a", "|u1", 3)],
        ["|u1", (2,)],
        "x",
        1,
    ]
)


def written(value: object) -> str:
    if isinstance(value, int) and abs(value) > 10**300:
        return hex(value)
    if isinstance(value, tuple | list):
        inner = ",".join(written(part) for part in value)
        return f"({inner},)" if isinstance(value, tuple) else f"[{inner}]"
    return repr(value)


def read_or_detail(body: bytes) -> Pixels | str:
    try:
        return read_array(body, SMALL.preprocessing)
    except InvalidContent as error:
        return error.detail


@given(shape=shapes, dtype=types, order=st.sampled_from([False, True, 0, None]), tail=st.binary())
@settings(max_examples=500, derandomize=True, deadline=None)
def test_headers(shape: object, dtype: object, order: object, tail: bytes) -> None:
    head = f"{{'descr': {written(dtype)}, 'fortran_order': {order}, 'shape': {written(shape)}}}\n"
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + tail
    found = read_or_detail(body)
    if isinstance(found, str):
        assert "\n" not in found and len(found) < 300
    else:
        assert found.dtype == np.uint8 and found.shape == shape


@given(st.data())
@settings(max_examples=300, derandomize=True, deadline=None)
def test_bytes(data: st.DataObject) -> None:
    body = bytearray(npy(noise(1)))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, 127))] = data.draw(st.integers(0, 255))
    found = read_or_detail(bytes(body))
    if isinstance(found, str):
        assert "\n" not in found and len(found) < 300
    else:
        assert found.shape == (1, 8, 6, 1)


def test_an_array_is_not_copied() -> None:
    body = npy(noise(2))
    pixels = read_array(body, SMALL.preprocessing)
    assert np.shares_memory(pixels, np.frombuffer(body, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0, 0, 0] = 1
