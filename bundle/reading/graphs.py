"""Refuses ONNX graphs that are more than operators of the standard over arrays of the bundle."""

from collections.abc import Iterator, Mapping
from typing import Any

import onnx
from onnx import numpy_helper

from bundle.errors import BundleError
from bundle.reading.arrays import ByteRange

MAX_OPSET = 25
DEFAULT_DOMAINS = ("", "ai.onnx")

_SUBGRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
_SPARSE = (onnx.AttributeProto.SPARSE_TENSOR, onnx.AttributeProto.SPARSE_TENSORS)


def parse_graph(name: str, content: bytes, opset: int) -> onnx.ModelProto:
    """A graph whose nodes are standard operators, without control flow, functions or foreign files.

    Args:
        name: of the file, for messages.
        content: serialized model.
        opset: of the default domain, the only one that it may use.

    Raises:
        BundleError: saying what it has that it must not have.
    """
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf raises several unrelated types
        raise BundleError(f"{name} is not an ONNX graph") from error
    _check_texts(name, model)
    _check_opsets(name, model, opset)
    if model.ir_version > onnx.IR_VERSION:
        raise BundleError(
            f"{name} has ONNX format {model.ir_version}, up to {onnx.IR_VERSION} are read"
        )
    if model.functions or model.training_info or model.graph.sparse_initializer:
        raise BundleError(f"{name} holds functions, training steps or sparse arrays: none may be")
    for node in model.graph.node:
        _check_node(name, node, opset)
    for tensor in _inside(model.graph):
        try:
            numpy_helper.to_array(tensor)
        except Exception as error:  # what numpy and protobuf raise has no common type
            raise BundleError(f"{name}: {tensor.name!r} is not an array: {error}") from error
    return model


def check_valid(name: str, model: onnx.ModelProto) -> None:
    """Make ONNX's own check of a graph, types and shapes included.

    Raises:
        BundleError: saying what is wrong with it.
    """
    names = [tensor.name for tensor in model.graph.initializer]
    taken = [*names, *(value.name for value in model.graph.input)]
    if len(set(taken)) != len(taken):
        raise BundleError(f"{name} gives one name to several arrays or inputs")
    # The checker would look for the file of the arrays outside; as inputs they need none.
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    del whole.graph.initializer[:]
    for tensor in model.graph.initializer:
        if _is_outside(tensor):
            whole.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
        else:
            whole.graph.initializer.append(tensor)
    try:
        onnx.checker.check_model(whole, full_check=True)
    except Exception as error:  # the checker's errors and those of shape inference differ
        raise BundleError(f"{name} is not a valid graph: {error}") from error


def check_byte_ranges(
    name: str, model: onnx.ModelProto, file: str | None, ranges: Mapping[str, ByteRange]
) -> None:
    """Check that the arrays outside of a graph are, byte for byte, those of this file.

    What ONNX Runtime reads beside the graph is then what this program takes by name.

    Args:
        name: of the graph's file, for messages.
        file: that holds its arrays; None if all must be in the graph.
        ranges: byte ranges of the arrays in that file.
    """
    for tensor in outside(model.graph):
        if file is None:
            raise BundleError(
                f"{name}: {tensor.name!r} is outside of the file, where nothing may be"
            )
        entries = [(entry.key, entry.value) for entry in tensor.external_data]
        expected = ranges.get(tensor.name)
        if expected is None:
            raise BundleError(f"{file} does not hold {tensor.name!r}, which {name} needs")
        wanted = {"location": file, "offset": str(expected.offset), "length": str(expected.length)}
        if dict(entries) != wanted or len(entries) != len(wanted):
            found = ", ".join(f"{key} {value}" for key, value in entries)
            raise BundleError(
                f"{name}: {tensor.name!r} must be at offset {expected.offset} of {file},"
                f" {expected.length} bytes, not at {found}"
            )


def outside(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    """The initializers of a graph that are kept outside of it."""
    return [tensor for tensor in graph.initializer if _is_outside(tensor)]


def _inside(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from (tensor for tensor in graph.initializer if not _is_outside(tensor))
    for node in graph.node:
        for attribute in node.attribute:
            yield from _tensors(attribute)


def _check_texts(name: str, message: Any) -> None:
    """Protobuf hands out a text that is not UTF-8 as bytes, which nothing here would expect."""
    for field, value in message.ListFields():
        if field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
            continue
        single = isinstance(value, str | bytes) or hasattr(value, "ListFields")
        for inner in [value] if single else value:
            if field.type == field.TYPE_MESSAGE:
                _check_texts(name, inner)
            elif not isinstance(inner, str):
                raise BundleError(f"{name} is not an ONNX graph: its {field.name!r} is not UTF-8")


def _check_opsets(name: str, model: onnx.ModelProto, opset: int) -> None:
    opsets = [(entry.domain, entry.version) for entry in model.opset_import]
    if opsets != [("", opset)] or opset > MAX_OPSET:
        raise BundleError(
            f"{name} uses operator sets {dict(opsets)}; this program runs the default one"
            f" up to version {MAX_OPSET}, and the manifest says {opset}"
        )


def _check_node(name: str, node: onnx.NodeProto, opset: int) -> None:
    kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    if node.domain not in DEFAULT_DOMAINS or not onnx.defs.has(node.op_type, opset, ""):
        raise BundleError(f"{name} has a node {kind!r}, which is no operator of ONNX {opset}")
    for attribute in node.attribute:
        if attribute.type in _SUBGRAPHS or attribute.HasField("g") or attribute.graphs:
            raise BundleError(f"{name} has a node {kind!r} with a graph in it, which may not be")
        if attribute.type in _SPARSE:
            raise BundleError(f"{name} has a node {kind!r} with a sparse array, which may not be")
        if any(_is_outside(tensor) for tensor in _tensors(attribute)):
            raise BundleError(f"{name} has a node {kind!r} that reads a file, which may not be")


def _tensors(attribute: onnx.AttributeProto) -> list[onnx.TensorProto]:
    return [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]


def _is_outside(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data) > 0
