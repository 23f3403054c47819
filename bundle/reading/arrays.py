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
    """The arrays of a file by name, and their byte ranges in it."""

    arrays: dict[str, NDArray[Any]]
    ranges: dict[str, ByteRange]


def read_arrays(name: str, content: bytes) -> ArrayFile:
    """Read a safetensors file.

    Raises:
        BundleError: if it is not one, or a value is not a number.
    """
    header_end, header = _header(name, content)
    try:
        arrays = load(content)
    except Exception as error:  # also a bare KeyError, for types that numpy does not have
        raise BundleError(f"{name} is not a safetensors file that can be read: {error}") from error
    ranges = {}
    for key, array in arrays.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise BundleError(f"{name}: {key!r} holds values that are not numbers")
        begin, end = header[key]["data_offsets"]
        ranges[key] = ByteRange(header_end + begin, end - begin)
    return ArrayFile(arrays, ranges)


def read_moments(
    base: Mapping[str, NDArray[Any]], mean: str, variance: str, channels: int
) -> FlatMoments:
    """The moments under these keys of ``base.safetensors``.

    Raises:
        BundleError: if they are missing, of another type or shape, or cannot be moments.
    """
    for key in (mean, variance):
        if key not in base:
            raise BundleError(f"{files.BASE} does not hold {key!r}")
        value = base[key]
        if value.shape != (channels,) or value.dtype != np.float64:
            raise BundleError(
                f"{files.BASE}: {key} must be {channels} float64 values,"
                f" not {value.dtype} {value.shape}"
            )
        # observe.onnx takes them in single precision.
        if np.abs(value).max() > np.finfo(np.float32).max:
            raise BundleError(f"{files.BASE}: {key} is out of the range of single precision")
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
            f"{name} is not a safetensors file: its header claims {length} bytes of {len(content)}"
        )
    header = parse_json(f"the header of {name}", content[_LENGTH.size : end])
    if not isinstance(header, dict):
        raise BundleError(f"{name} is not a safetensors file: its header is no object")
    return end, header
