"""Basic edits of ONNX graphs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray


def make_value(name: str, dtype: ir.DataType, shape: Sequence[int | str]) -> ir.Value:
    """Make a value that is not the output of a node, such as an input of a graph."""
    return ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(shape))


def add_initializer(graph: ir.Graph, name: str, array: NDArray[Any]) -> ir.Value:
    """Add an array to a graph under a new name."""
    tensor = ir.tensor(array, name=name)
    value = make_value(name, tensor.dtype, array.shape)
    value.const_value = tensor
    graph.register_initializer(value)
    return value


def replace_value(old: ir.Value, new: ir.Value) -> None:
    """Replace all uses of a value by another value; a graph output keeps its name, shape and type."""
    if old.is_graph_output():
        name = old.name
        old.name = f"{name}.replaced"
        new.name, new.shape, new.type = name, old.shape, old.type
    ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)


def integer(node: ir.Node, name: str, default: int) -> int:
    """Integer attribute of a node, or the default if the node does not have it."""
    return node.attributes[name].as_int() if name in node.attributes else default


def forget_shapes(graph: ir.Graph) -> None:
    """Remove the shapes of intermediate values, in place.

    The runtime plans its memory by them. If image sizes are free, some shapes that the tracer wrote hold
    for one image size only; the runtime infers correct ones.
    """
    for node in graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None


def split(graph: ir.Graph, value: ir.Value, sizes: Sequence[int]) -> list[ir.Value]:
    """Split a vector among the graph's inputs by a Split node at the beginning of the graph."""
    name = f"{value.name}.sizes"
    lengths = add_initializer(graph, name, np.array(sizes, np.int64))
    node = ir.node("Split", [value, lengths], {"axis": 0}, num_outputs=len(sizes))
    node.name = f"{value.name}.split"
    for number, part in enumerate(node.outputs):
        part.name = f"{value.name}.{number}"
    if len(graph):
        graph.insert_before(graph[0], node)
    else:
        graph.append(node)
    return list(node.outputs)


def concatenate(graph: ir.Graph, values: Sequence[ir.Value], name: str) -> ir.Value:
    """Concatenate vectors by a Concat node at the end of the graph."""
    node = ir.node("Concat", values, {"axis": 0}, name=f"{name}.concat")
    node.outputs[0].name = name
    graph.append(node)
    return node.outputs[0]


def insert_copy(
    graph: ir.Graph,
    piece: ir.Graph,
    inputs: Sequence[ir.Value],
    name: str,
    before: ir.Node | None = None,
) -> list[ir.Value]:
    """Put a copy of a graph into another one.

    Args:
        graph: graph to change in place.
        piece: graph to copy; all its copies in a graph share their initializers.
        inputs: inputs of the copy.
        name: prefix for the names of its nodes and values.
        before: node before which the copy is inserted; None for the end of the graph.

    Returns:
        Outputs of the copy.
    """
    copy = piece.clone()
    for value, given in zip(copy.inputs, inputs, strict=True):
        ir.convenience.replace_all_uses_with(value, given)
    for value in sorted(copy.initializers.values(), key=lambda value: str(value.name)):
        ir.convenience.replace_all_uses_with(value, _shared(graph, value))
    outputs, nodes = list(copy.outputs), list(copy)
    copy.outputs.clear()
    copy.remove(nodes)
    for node in nodes:
        node.name = f"{name}/{node.name}"
        for value in node.outputs:
            value.name = f"{name}/{value.name}"
            value.shape = None  # free dimensions differ between copies
    if before is None:
        graph.extend(nodes)
    else:
        graph.insert_before(before, nodes)
    return outputs


def _shared(graph: ir.Graph, value: ir.Value) -> ir.Value:
    assert value.const_value is not None
    name = f"shared/{value.name}"
    if name not in graph.initializers:
        add_initializer(graph, name, value.const_value.numpy())
    return graph.initializers[name]
