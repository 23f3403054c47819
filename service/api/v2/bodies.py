"""Bodies of the protocol over HTTP: JSON, with the bytes of tensors behind it."""

import json
from collections.abc import Mapping
from typing import Any

from service.api.body.json_body import parse_json as parse_values
from service.api.v2.messages import InferAnswer, InferRequest, WantedOutput
from service.api.v2.tensors import (
    Tensor,
    check_shape,
    tensor_from_bytes,
    tensor_from_values,
    to_bytes,
    to_values,
)
from service.errors import InvalidContent, MalformedRequest

# Parsing a value holds the interpreter for about 50 ns.
MAX_VALUES = 2**21


def read_request(body: bytes, json_length: int | None) -> InferRequest:
    """Read the body of a request to predict.

    Args:
        body: the body.
        json_length: number of its bytes that are JSON; None if all are.

    Raises:
        MalformedRequest: if the JSON, or the length of what follows, is not as the protocol has it.
        InvalidContent: if a value does not fit.
        TooLarge: if the JSON holds more values than are accepted.
    """
    length = len(body) if json_length is None else json_length
    if length > len(body):
        raise MalformedRequest(
            f"Inference-Header-Content-Length is {length}, the body {len(body)} bytes"
        )
    content = parse_json(body[:length])
    parameters = _parameters(content)
    listed = content.get("inputs")
    if not isinstance(listed, list):
        raise InvalidContent('expected {"inputs": [...]}')
    inputs, position = [], length
    for entry in listed:
        tensor, position = _read_input(entry, body, position)
        inputs.append(tensor)
    if position != len(body):
        raise MalformedRequest(f"{len(body) - position} bytes follow the last binary tensor")
    return InferRequest(
        inputs=inputs,
        id=str(content.get("id", "")),
        outputs=[_read_output(entry) for entry in content.get("outputs") or ()],
        parameters=parameters,
        binary=parameters.get("binary_data_output") is True,
    )


def parse_json(content: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        MalformedRequest: if it is not one.
        TooLarge: if it holds more values than are accepted.
    """
    found = parse_values(content, MAX_VALUES)
    if not isinstance(found, dict):
        raise MalformedRequest("the body is not a JSON object")
    return found


def write_answer(answer: InferAnswer) -> tuple[bytes, int | None]:
    """The body of an answer, and the number of its bytes that are JSON; None if all are."""
    outputs: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for tensor, binary in answer.outputs:
        entry = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        if binary:
            blobs.append(to_bytes(tensor))
            outputs.append({**entry, "parameters": {"binary_data_size": len(blobs[-1])}})
        else:
            outputs.append({**entry, "data": to_values(tensor)})
    content: dict[str, Any] = {"model_name": answer.model, "model_version": answer.version}
    if answer.id:
        content["id"] = answer.id
    content |= {"parameters": {"target": answer.target}, "outputs": outputs}
    head = json.dumps(content, separators=(",", ":")).encode()
    return b"".join([head, *blobs]), len(head) if blobs else None


def _read_input(entry: Any, body: bytes, position: int) -> tuple[Tensor, int]:
    """An input, and where the bytes of the next one begin."""
    if not isinstance(entry, dict) or not isinstance(entry.get("shape"), list):
        raise InvalidContent('an input is not {"name": ..., "datatype": ..., "shape": [...]}')
    name, datatype = str(entry.get("name")), str(entry.get("datatype"))
    shape = check_shape(name, entry["shape"])
    size = _parameters(entry).get("binary_data_size")
    if size is None:
        return tensor_from_values(name, datatype, shape, entry.get("data", [])), position
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(body) - position:
        raise InvalidContent(f"input {name!r}: the body does not hold binary_data_size bytes of it")
    content = body[position : position + size]
    return tensor_from_bytes(name, datatype, shape, content), position + size


def _read_output(entry: Any) -> WantedOutput:
    if not isinstance(entry, dict):
        raise InvalidContent('an output is not {"name": ...}')
    parameters = _parameters(entry)
    return WantedOutput(
        name=str(entry.get("name")),
        classes=class_count(parameters.get("classification", 0)),
        binary=parameters.get("binary_data") is True,
    )


def class_count(value: Any) -> int:
    """The value of the parameter ``classification``.

    Raises:
        InvalidContent: if it is not a number of classes.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidContent(f"'classification' is a number of classes, got {value!r}")
    return value


def _parameters(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found = content.get("parameters", {})
    if not isinstance(found, dict):
        raise InvalidContent("'parameters' is not an object")
    return found
