"""Finds the Mul and Add by which a traced network applies the scale and shift of its sites."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from export.errors import ExportError
from export.graphs.editing import replace_value
from export.network.sites import NormSite


@dataclass(frozen=True)
class AffineNodes:
    """The Mul and the Add that replace a site in a graph.

    Attributes:
        multiply, add: the two nodes.
        scale, shift: the inputs of the graph that they use.
    """

    multiply: ir.Node
    add: ir.Node
    scale: ir.Value
    shift: ir.Value

    @property
    def value(self) -> ir.Value:
        """The value that the site normalizes."""
        return other_input(self.multiply, self.scale)

    @property
    def result(self) -> ir.Value:
        """The output of the site."""
        return self.add.outputs[0]

    def replace_by(self, value: ir.Value) -> None:
        """Replace the output of the site by another value, and remove the two nodes."""
        graph = self.add.graph
        assert graph is not None
        replace_value(self.result, value)
        graph.remove([self.add, self.multiply], safe=True)


def find_affine_nodes(
    sites: Sequence[NormSite], scales: Sequence[ir.Value], shifts: Sequence[ir.Value]
) -> list[AffineNodes]:
    """Find the Mul and Add of every site, in the order of the sites.

    Args:
        sites: normalization sites of the network.
        scales, shifts: inputs of the graph, one per site.

    Raises:
        ExportError: if one of them is not applied exactly once.
    """
    found = []
    for site, scale, shift in zip(sites, scales, shifts, strict=True):
        multiply, add = _consumer(scale, "Mul", site), _consumer(shift, "Add", site)
        if other_input(add, shift) is not multiply.outputs[0]:
            raise ExportError(_message(site))
        found.append(AffineNodes(multiply, add, scale, shift))
    return found


def _consumer(value: ir.Value, op_type: str, site: NormSite) -> ir.Node:
    nodes = value.consumers()
    if len(nodes) != 1 or nodes[0].op_type != op_type:
        raise ExportError(_message(site))
    return nodes[0]


def _message(site: NormSite) -> str:
    return f"the traced graph does not apply the scale and shift of {site.name!r} exactly once"


def other_input(node: ir.Node, one: ir.Value) -> ir.Value:
    """The other of a node's two inputs."""
    first, second = node.inputs
    other = second if first is one else first
    assert other is not None
    return other
