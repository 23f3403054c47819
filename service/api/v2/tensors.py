"""Tensors of the protocol: typed, shaped, as JSON values or as bytes."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidContent

BYTES = "BYTES"
_LENGTH = struct.Struct("<I")
# Enough for any tensor that is offered.
_MAX_DIMENSIONS = 8


@dataclass(frozen=True)
class Tensor:
    """A named tensor.

    Attributes:
        name: name of the input or output.
        datatype: ``UINT8``, ``FP32`` or ``BYTES``.
        shape: its dimensions.
        array: elements of a numeric tensor, of its shape; None for ``BYTES``.
        elements: elements of a ``BYTES`` tensor in row-major order; empty for others.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    array: NDArray[Any] | None = None
    elements: Sequence[bytes] = ()


def check_shape(name: str, shape: Sequence[Any]) -> tuple[int, ...]:
    """Dimensions as they arrived.

    Raises:
        InvalidContent: if they are not whole numbers, 0 or more.
    """
    whole = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**31 for n in shape)
    if not whole or len(shape) > _MAX_DIMENSIONS:
        raise InvalidContent(f"input {name!r}: the shape is not a list of dimensions")
    return tuple(shape)


def tensor_from_bytes(name: str, datatype: str, shape: tuple[int, ...], content: bytes) -> Tensor:
    """A tensor from its elements one after another, in row-major order.

    Raises:
        InvalidContent: if the type is not known, or the bytes do not fit the shape.
    """
    if datatype == BYTES:
        return tensor_of_elements(name, shape, _split(name, content))
    _check_numeric(name, datatype)
    dtype = np.dtype(np.uint8)
    count = math.prod(shape)
    if len(content) != count * dtype.itemsize:
        raise InvalidContent(
            f"input {name!r}: {datatype} of shape {list(shape)} takes {count * dtype.itemsize} bytes, got"
            f" {len(content)}"
        )
    return Tensor(name, datatype, shape, np.frombuffer(content, dtype).reshape(shape))


def tensor_from_values(name: str, datatype: str, shape: tuple[int, ...], values: Any) -> Tensor:
    """A tensor from a list of JSON values, flat or nested.

    Raises:
        InvalidContent: if the type is not known, or the values do not fit it or the shape.
    """
    if datatype == BYTES:
        texts = list(_flat(values))
        if not all(isinstance(text, str) for text in texts):
            raise InvalidContent(f"input {name!r}: data of type BYTES are strings in JSON")
        # JSON cannot carry bytes; each character stands for one, as clients of the protocol send them.
        try:
            return tensor_of_elements(name, shape, [text.encode("latin-1") for text in texts])
        except UnicodeEncodeError as error:
            raise InvalidContent(
                f"input {name!r}: JSON strings cannot hold files; send binary tensor data"
            ) from error
    _check_numeric(name, datatype)
    try:
        array = np.array(values)
    except (ValueError, TypeError) as error:
        raise InvalidContent(f"input {name!r}: the data are not lists of equal lengths") from error
    if array.size and array.dtype.kind not in "iu":
        raise InvalidContent(f"input {name!r}: the data are not whole numbers")
    if array.size != math.prod(shape):
        raise InvalidContent(
            f"input {name!r}: shape {list(shape)} takes {math.prod(shape)} values, got {array.size}"
        )
    if array.size and (array.min() < 0 or array.max() > 255):
        raise InvalidContent(f"input {name!r}: a value is outside the range of {datatype}")
    return Tensor(name, datatype, shape, array.astype(np.uint8).reshape(shape))


def tensor_of_elements(name: str, shape: tuple[int, ...], elements: Sequence[bytes]) -> Tensor:
    """A tensor of type ``BYTES``.

    Raises:
        InvalidContent: if the number of elements does not fit the shape.
    """
    if len(elements) != math.prod(shape):
        raise InvalidContent(
            f"input {name!r}: shape {list(shape)} takes {math.prod(shape)} elements, got {len(elements)}"
        )
    return Tensor(name, BYTES, shape, elements=elements)


def to_bytes(tensor: Tensor) -> bytes:
    """The elements of a tensor one after another; those of ``BYTES`` after their lengths."""
    if tensor.array is not None:
        return tensor.array.tobytes()
    return b"".join(_LENGTH.pack(len(element)) + element for element in tensor.elements)


def to_values(tensor: Tensor) -> list[Any]:
    """The elements of a tensor as a flat list of JSON values."""
    if tensor.array is not None:
        return list(tensor.array.ravel().tolist())
    return [element.decode() for element in tensor.elements]


def _split(name: str, content: bytes) -> list[bytes]:
    elements: list[bytes] = []
    position = 0
    while position < len(content):
        start = position + _LENGTH.size
        if start > len(content):
            break
        position = start + _LENGTH.unpack_from(content, position)[0]
        elements.append(content[start:position])
    if position != len(content):
        raise InvalidContent(f"input {name!r}: the bytes end within an element")
    return elements


def _check_numeric(name: str, datatype: str) -> None:
    if datatype != "UINT8":
        raise InvalidContent(
            f"input {name!r}: type {datatype!r} is not offered; send UINT8 or BYTES"
        )


def _flat(values: Any) -> Any:
    pending = [values]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += reversed(value)
        else:
            yield value
