"""Messages of the protocol over gRPC as those of this service, and back."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import ParseDict
from tritonclient.grpc import service_pb2 as pb

from service.api.v2.bodies import class_count
from service.api.v2.messages import InferAnswer, InferRequest, WantedOutput
from service.api.v2.tensors import (
    BYTES,
    Tensor,
    check_shape,
    tensor_from_bytes,
    tensor_from_values,
    tensor_of_elements,
    to_bytes,
)
from service.errors import InvalidContent, MalformedRequest


def read_request(message: Any) -> InferRequest:
    """Read a request to predict.

    Raises:
        MalformedRequest: if its raw contents are not those of its inputs.
        InvalidContent: if a value does not fit.
    """
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise MalformedRequest(f"{len(message.inputs)} inputs, but {len(raw)} raw contents")
    return InferRequest(
        inputs=[
            _read_input(entry, raw[index] if raw else None)
            for index, entry in enumerate(message.inputs)
        ],
        id=message.id,
        outputs=[_read_output(entry) for entry in message.outputs],
        parameters=_read_parameters(message.parameters),
    )


def write_answer(answer: InferAnswer) -> Any:
    """The message of an answer; its tensors are raw contents."""
    message = pb.ModelInferResponse(
        model_name=answer.model, model_version=answer.version, id=answer.id
    )
    message.parameters["target"].string_param = answer.target
    for tensor, _ in answer.outputs:
        message.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        message.raw_output_contents.append(to_bytes(tensor))
    return message


def message_of(kind: Any, content: Mapping[str, Any]) -> Any:
    """A message with the fields of JSON content."""
    return ParseDict(content, kind())


def _read_input(entry: Any, raw: bytes | None) -> Tensor:
    shape = check_shape(entry.name, list(entry.shape))
    if raw is not None:
        return tensor_from_bytes(entry.name, entry.datatype, shape, raw)
    if entry.datatype == BYTES:
        return tensor_of_elements(entry.name, shape, list(entry.contents.bytes_contents))
    return tensor_from_values(entry.name, entry.datatype, shape, list(entry.contents.uint_contents))


def _read_output(entry: Any) -> WantedOutput:
    classes = _read_parameters(entry.parameters).get("classification", 0)
    return WantedOutput(entry.name, class_count(classes))


def _read_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, parameter in parameters.items():
        kind = parameter.WhichOneof("parameter_choice")
        if kind is None:
            raise InvalidContent(f"the parameter {name!r} has no value")
        found[name] = getattr(parameter, kind)
    return found
