"""Follows the channel axis through operators that commute with a scale and shift per channel.

These are operators that move values, and operators that average values of one channel.
"""

import math

import onnx_ir as ir

from export.graphs.editing import integer

_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
_POOLS = ("AveragePool", "GlobalAveragePool")


def axis_before(node: ir.Node, axis: int) -> int | None:
    """Axis of a node's input that holds the channels along ``axis`` of its output.

    Returns:
        The axis; None if the node does more than move values and average values of one channel.
    """
    if node.op_type == "Transpose":
        permutation = _permutation(node)
        return None if permutation is None else permutation[axis]
    if node.op_type in _RESHAPES:
        old, new = _shapes(node)
        return None if old is None or new is None else _same_axis(new, axis, old)
    if node.op_type in _POOLS:
        return axis if axis < 2 and _averages(node) else None
    kept = _kept_axes(node)
    return None if kept is None else kept[axis]


def axis_after(node: ir.Node, axis: int) -> int | None:
    """Axis of a node's output that holds the channels along ``axis`` of its first input.

    Returns:
        The axis; None if the node does more than move values and average values of one channel.
    """
    if node.op_type == "Transpose":
        permutation = _permutation(node)
        return None if permutation is None else permutation.index(axis)
    if node.op_type in _RESHAPES:
        old, new = _shapes(node)
        return None if old is None or new is None else _same_axis(old, axis, new)
    if node.op_type in _POOLS:
        return axis if axis < 2 and _averages(node) else None
    kept = _kept_axes(node)
    return None if kept is None or axis not in kept else kept.index(axis)


def pads(node: ir.Node) -> bool:
    """Whether a convolution or pool pads its input."""
    attributes = node.attributes
    automatic = attributes["auto_pad"].as_string() if "auto_pad" in attributes else "NOTSET"
    sides = attributes["pads"].as_ints() if "pads" in attributes else ()
    return any(sides) or automatic not in ("NOTSET", "VALID")


def _permutation(node: ir.Node) -> list[int] | None:
    return list(node.attributes["perm"].as_ints()) if "perm" in node.attributes else None


def _shapes(node: ir.Node) -> tuple[ir.Shape | None, ir.Shape | None]:
    value = node.inputs[0]
    return None if value is None else value.shape, node.outputs[0].shape


def _same_axis(own: ir.Shape, axis: int, other: ir.Shape) -> int | None:
    """Axis of ``other`` with the size, and the number of values per index, of ``axis`` in ``own``."""
    behind = _values(own, axis + 1)
    for candidate in range(other.rank()):
        same = isinstance(other[candidate], int) and other[candidate] == own[axis]
        if same and behind is not None and behind == _values(other, candidate + 1):
            return candidate
    return None


def _values(shape: ir.Shape, start: int) -> int | None:
    sides = [side for side in shape[start:] if isinstance(side, int)]
    return math.prod(sides) if len(sides) == shape.rank() - start else None


def _averages(node: ir.Node) -> bool:
    """Whether every output value of a pool is a mean of input values, without padded zeros."""
    return not pads(node) and not integer(node, "ceil_mode", 0)


def _kept_axes(node: ir.Node) -> list[int | None] | None:
    """Input axis of every output axis of a ReduceMean; None for an axis that it reduced to size 1."""
    if node.op_type != "ReduceMean" or len(node.inputs) < 2:
        return None
    value, axes = node.inputs[0], node.inputs[1]
    given = None if axes is None else ir.convenience.get_const_tensor(axes)
    if value is None or value.shape is None or given is None:
        return None
    rank = value.shape.rank()
    gone = {int(axis) % rank for axis in given.numpy()}
    if not gone:
        return None
    keep = integer(node, "keepdims", 1)
    return [None if axis in gone else axis for axis in range(rank) if keep or axis not in gone]
