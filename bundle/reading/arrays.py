"""Reads the safetensors files of a bundle."""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from bundle import files
from bundle.errors import BundleError
from bundle.moments import FlatMoments
from bundle.reading.strict_json import parse_json

_LENGTH = struct.Struct("<Q")
MAX_HEADER = 16 * 2**20


class ByteRange(NamedTuple):
    """Bytes of a file that hold one array: first byte and number of bytes."""

    offset: int
    length: int


class ArrayFile(NamedTuple):
    """Arrays of a file by name, and their byte ranges in it."""

    arrays: dict[str, NDArray[Any]]
    ranges: dict[str, ByteRange]


def read_arrays(name: str, content: bytes) -> ArrayFile:
    """Parse a safetensors file.

    Args:
        name: name of the file in error messages.
        content: its bytes.

    Raises:
        BundleError: if it is not a safetensors file, or holds NaN values.
    """
    header_end, header = _header(name, content)
    try:
        arrays = load(content)
    except Exception as error:  # including a bare KeyError, for types that NumPy does not have
        raise BundleError(f"{name} is not a readable safetensors file: {error}") from error
    ranges = {}
    for key, array in arrays.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise BundleError(f"{name}: {key!r} holds NaN values")
        begin, end = header[key]["data_offsets"]
        ranges[key] = ByteRange(header_end + begin, end - begin)
    return ArrayFile(arrays, ranges)


def read_metadata(name: str, content: bytes) -> dict[str, str]:
    """What a safetensors file says about itself: text by name; empty if it says nothing.

    Args:
        name: name of the file in error messages.
        content: its bytes.

    Raises:
        BundleError: if it is not a safetensors file, or what it says is not text.
    """
    _, header = _header(name, content)
    found = header.get("__metadata__", {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BundleError(f"{name}: the metadata of a safetensors file is text by name")
    return found


def read_moments(
    base: Mapping[str, NDArray[Any]], mean: str, variance: str, channels: int
) -> FlatMoments:
    """Moments of one domain from the arrays of ``base.safetensors``.

    Args:
        base: arrays of the file by name.
        mean, variance: names of the two arrays.
        channels: length that the arrays must have.

    Raises:
        BundleError: if an array is missing, has another type or shape, or holds impossible values.
    """
    for key in (mean, variance):
        if key not in base:
            raise BundleError(f"{files.BASE} lacks the array {key!r}")
        value = base[key]
        if value.shape != (channels,) or value.dtype != np.float64:
            raise BundleError(
                f"{files.BASE}: {key} must be {channels} float64 values,"
                f" not {value.dtype} {value.shape}"
            )
        # observe.onnx takes the moments in single precision.
        if np.abs(value).max() > np.finfo(np.float32).max:
            raise BundleError(f"{files.BASE}: {key} exceeds the range of single precision")
    moments = FlatMoments(base[mean], base[variance])
    problem = moments.problem()
    if problem:
        raise BundleError(f"{files.BASE}: {problem}")
    return moments


def _header(name: str, content: bytes) -> tuple[int, dict[str, Any]]:
    if len(content) < _LENGTH.size:
        raise BundleError(f"{name} is not a safetensors file: it has only {len(content)} bytes")
    (length,) = _LENGTH.unpack_from(content)
    end = _LENGTH.size + length
    if end > len(content) or length > MAX_HEADER:
        raise BundleError(
            f"{name} is not a safetensors file: its header claims {length} bytes, the"
            f" file has {len(content)}"
        )
    header = parse_json(f"the header of {name}", content[_LENGTH.size : end])
    if not isinstance(header, dict):
        raise BundleError(f"{name} is not a safetensors file: its header is not a JSON object")
    return end, header
