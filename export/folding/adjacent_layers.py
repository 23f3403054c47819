"""Finds the layer before or after a normalization that its scale and shift can be folded into."""

from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir

from export.folding.channels import axis_after, axis_before, pads
from export.graphs.editing import integer, replace_value
from export.network.affine_nodes import AffineNodes, other_input
from export.network.sites import NormSite


@dataclass(frozen=True)
class AdjacentLayer:
    """A convolution or linear layer in a graph, seen from one site.

    Attributes:
        node: node of type Conv, ConvTranspose, Gemm or MatMul.
        addition: Add node with the bias of a MatMul; None if there is none.
        side: ``output`` if the site normalizes the layer's output, ``input`` if the layer takes the
            site's output.
        axis: axis of the site's channels in the weight.
        groups: see :class:`bundle.manifest.Site`.
        outputs: number of output channels of the layer.
    """

    node: ir.Node
    addition: ir.Node | None
    side: Literal["output", "input"]
    axis: Literal[0, 1]
    groups: int
    outputs: int

    @property
    def weight(self) -> ir.Value:
        """The weight, an initializer."""
        return _input(self.node, 1)

    @property
    def bias(self) -> ir.Value | None:
        """The bias, an initializer ``(outputs,)``; None if there is none."""
        if self.addition is not None:
            return other_input(self.addition, self.node.outputs[0])
        return self.node.inputs[2] if len(self.node.inputs) > 2 else None

    def set_parameters(self, weight: ir.Value, bias: ir.Value) -> None:
        """Give the layer another weight and bias."""
        old = self.bias
        self.node.replace_input_with(1, weight)
        if self.addition is not None:
            self.addition.replace_input_with(list(self.addition.inputs).index(old), bias)
        elif self.node.op_type == "MatMul":
            self._add(bias)
        else:
            self.node.resize_inputs(3)
            self.node.replace_input_with(2, bias)

    def _add(self, bias: ir.Value) -> None:
        product = self.node.outputs[0]
        graph = self.node.graph
        assert graph is not None
        node = ir.node("Add", [product, bias], name=f"{self.node.name}.bias")
        total = node.outputs[0]
        total.name, total.shape, total.type = f"{product.name}.biased", product.shape, product.type
        replace_value(product, total)
        node.replace_input_with(0, product)
        graph.insert_after(self.node, node)


def layer_before(site: NormSite, nodes: AffineNodes) -> AdjacentLayer | None:
    """Layer whose output the site normalizes; None if there is none, or the output is used elsewhere too.

    Operators that commute with a scale and shift per channel may lie between the two
    (:mod:`export.folding.channels`).
    """
    value, axis = nodes.value, 1
    while True:
        node = value.producer()
        if node is None or len(value.uses()) != 1 or value.is_graph_output():
            return None
        moved = axis_before(node, axis)
        if moved is None:
            break
        value, axis = _input(node, 0), moved
    rank = None if value.shape is None else value.shape.rank()
    addition = None
    if node.op_type == "Add" and (product := _biased(node, site.channels)) is not None:
        addition, node = node, product
    if not _owns_arrays(node):
        return None
    if node.op_type == "MatMul":
        return (
            AdjacentLayer(node, addition, "output", 1, 1, site.channels)
            if rank == axis + 1
            else None
        )
    if addition is not None or axis != 1:
        return None
    if node.op_type == "Gemm":
        transposed = integer(node, "transB", 0)
        return AdjacentLayer(node, None, "output", 0 if transposed else 1, 1, site.channels)
    if node.op_type == "ConvTranspose":
        return AdjacentLayer(node, None, "output", 1, integer(node, "group", 1), site.channels)
    return AdjacentLayer(node, None, "output", 0, 1, site.channels)


def layer_after(site: NormSite, nodes: AffineNodes) -> AdjacentLayer | None:
    """Layer without padding that takes the site's output; None if there is none, or others take it too.

    Operators that commute with a scale and shift per channel may lie between the two
    (:mod:`export.folding.channels`).
    """
    value, axis = nodes.result, 1
    while True:
        uses = value.uses()
        if len(uses) != 1 or value.is_graph_output():
            return None
        (use,) = uses
        if use.idx != 0:
            return None
        node = use.node
        moved = axis_after(node, axis)
        if moved is None:
            break
        value, axis = node.outputs[0], moved
    if not _owns_arrays(node):
        return None
    shape = _shape(_input(node, 1))
    if node.op_type == "MatMul" and value.shape is not None and value.shape.rank() == axis + 1:
        return AdjacentLayer(node, _addition_after(node, shape[1]), "input", 0, 1, shape[1])
    if axis != 1:
        return None
    if node.op_type == "Gemm" and not integer(node, "transA", 0):
        transposed = integer(node, "transB", 0)
        return AdjacentLayer(node, None, "input", 1 if transposed else 0, 1, _gemm_outputs(node))
    if node.op_type == "Conv" and not pads(node):
        return AdjacentLayer(node, None, "input", 1, integer(node, "group", 1), shape[0])
    return None


def _owns_arrays(node: ir.Node) -> bool:
    """Whether a node is a layer that uses initializers as its weight and bias without scaling them."""
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return False
    if any(value is not None and value.const_value is None for value in node.inputs[1:]):
        return False
    if len(_shape(_input(node, 1))) < 2 or (node.op_type == "MatMul" and _rank(node) != 2):
        return False
    factors = [node.attributes[name] for name in ("alpha", "beta") if name in node.attributes]
    if node.op_type == "Gemm" and any(factor.as_float() != 1.0 for factor in factors):
        return False
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    return bias is None or node.op_type != "Gemm" or _shape(bias) == (_gemm_outputs(node),)


def _gemm_outputs(node: ir.Node) -> int:
    return _shape(_input(node, 1))[0 if integer(node, "transB", 0) else 1]


def _rank(node: ir.Node) -> int:
    return len(_shape(_input(node, 1)))


def _biased(node: ir.Node, channels: int) -> ir.Node | None:
    """The MatMul to whose output an Add adds a bias along the last axis; None if the Add is another one."""
    for value in node.inputs:
        product = None if value is None else value.producer()
        if product is None or product.op_type != "MatMul" or value is None:
            continue
        bias = other_input(node, value)
        constant = bias.const_value is not None and _shape(bias) == (channels,)
        if constant and len(value.uses()) == 1 and not value.is_graph_output():
            return product
    return None


def _addition_after(node: ir.Node, outputs: int) -> ir.Node | None:
    consumers = node.outputs[0].consumers()
    if len(consumers) == 1 and consumers[0].op_type == "Add":
        return consumers[0] if _biased(consumers[0], outputs) is node else None
    return None


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value


def _shape(value: ir.Value) -> tuple[int, ...]:
    assert value.const_value is not None
    return tuple(int(side) for side in value.const_value.shape.numpy())
