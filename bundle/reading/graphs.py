"""Checks that ONNX graphs consist of standard operators on arrays of the bundle."""

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
    """Parse a graph of standard operators, without control flow, functions or references to other files.

    Args:
        name: name of the file in error messages.
        content: serialized model.
        opset: version of the default operator set, the only one that the graph may use.

    Raises:
        BundleError: saying what the graph contains that is not allowed.
    """
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf raises several unrelated types
        raise BundleError(f"{name} is not an ONNX graph") from error
    _check_texts(name, model)
    _check_opsets(name, model, opset)
    if model.ir_version > onnx.IR_VERSION:
        raise BundleError(
            f"{name} has ONNX IR version {model.ir_version}; versions up to {onnx.IR_VERSION} are"
            " supported"
        )
    if model.functions or model.training_info or model.graph.sparse_initializer:
        raise BundleError(
            f"{name} contains functions, training steps or sparse arrays, which are not allowed"
        )
    for node in model.graph.node:
        _check_node(name, node, opset)
    for tensor in _embedded_tensors(model.graph):
        try:
            numpy_helper.to_array(tensor)
        except Exception as error:  # the errors of NumPy and protobuf share no base class
            raise BundleError(f"{name}: {tensor.name!r} is not an array: {error}") from error
    return model


def check_valid(name: str, model: onnx.ModelProto) -> None:
    """Run ONNX's own checker on a graph, including types and shapes.

    Raises:
        BundleError: saying what is wrong with the graph.
    """
    names = [tensor.name for tensor in model.graph.initializer]
    all_names = [*names, *(value.name for value in model.graph.input)]
    if len(set(all_names)) != len(all_names):
        raise BundleError(f"{name} uses one name for several arrays or inputs")
    # The checker would look for the files of external arrays; inputs need no file.
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    del whole.graph.initializer[:]
    for tensor in model.graph.initializer:
        if _is_external(tensor):
            whole.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
        else:
            whole.graph.initializer.append(tensor)
    try:
        onnx.checker.check_model(whole, full_check=True)
    except Exception as error:  # the checker and shape inference raise unrelated types
        raise BundleError(f"{name} is not a valid graph: {error}") from error


def check_byte_ranges(
    name: str, model: onnx.ModelProto, file: str | None, ranges: Mapping[str, ByteRange]
) -> None:
    """Check that the external initializers of a graph refer to the arrays of the same names in a file.

    ONNX Runtime, which follows these references, then reads the same arrays as this program, which looks
    them up by name.

    Args:
        name: name of the graph's file in error messages.
        model: the graph.
        file: name of the file that holds its arrays; None if the graph must embed all of them.
        ranges: byte ranges of the arrays in that file, by name.

    Raises:
        BundleError: naming the first array for which this is not so.
    """
    for tensor in external_initializers(model.graph):
        if file is None:
            raise BundleError(
                f"{name}: the array {tensor.name!r} is stored in another file, which is not allowed"
            )
        entries = [(entry.key, entry.value) for entry in tensor.external_data]
        expected = ranges.get(tensor.name)
        if expected is None:
            raise BundleError(f"{file} lacks the array {tensor.name!r}, which {name} needs")
        wanted = {"location": file, "offset": str(expected.offset), "length": str(expected.length)}
        if dict(entries) != wanted or len(entries) != len(wanted):
            found = ", ".join(f"{key} {value}" for key, value in entries)
            raise BundleError(
                f"{name}: {tensor.name!r} must be at offset {expected.offset} of {file},"
                f" {expected.length} bytes, not at {found}"
            )


def external_initializers(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    """Initializers of a graph that are stored in another file."""
    return [tensor for tensor in graph.initializer if _is_external(tensor)]


def _embedded_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from (tensor for tensor in graph.initializer if not _is_external(tensor))
    for node in graph.node:
        for attribute in node.attribute:
            yield from _tensors(attribute)


def _check_texts(name: str, message: Any) -> None:
    """Check that all texts are UTF-8: protobuf returns others as bytes, which no caller expects."""
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
            f"{name} uses the operator sets {dict(opsets)}; this program supports the default one"
            f" up to version {MAX_OPSET}, and the manifest says {opset}"
        )


def _check_node(name: str, node: onnx.NodeProto, opset: int) -> None:
    kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    if node.domain not in DEFAULT_DOMAINS or not onnx.defs.has(node.op_type, opset, ""):
        raise BundleError(
            f"{name} contains a node {kind!r}, which is not an operator of ONNX opset {opset}"
        )
    for attribute in node.attribute:
        if attribute.type in _SUBGRAPHS or attribute.HasField("g") or attribute.graphs:
            raise BundleError(
                f"{name} contains a {kind!r} node with a subgraph, which is not allowed"
            )
        if attribute.type in _SPARSE:
            raise BundleError(
                f"{name} contains a {kind!r} node with a sparse array, which is not allowed"
            )
        if any(_is_external(tensor) for tensor in _tensors(attribute)):
            raise BundleError(
                f"{name} contains a {kind!r} node that reads a file, which is not allowed"
            )


def _tensors(attribute: onnx.AttributeProto) -> list[onnx.TensorProto]:
    return [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]


def _is_external(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data) > 0
