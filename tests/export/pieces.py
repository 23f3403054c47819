"""Small ONNX graphs around normalization sites, to be folded and run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from bundle.fold import fold_sites
from bundle.manifest import Site
from bundle.moments import Vector
from bundle.runtime import make_session
from export.folding.folded_graph import fold_graph
from export.graphs.external_arrays import float_initializers
from export.network.sites import NormSite
from rn_model.layers.reciprocal_norm import ReciprocalNorm

Floats = NDArray[np.float32]


def norm(site: str, value: str, result: str) -> str:
    """The nodes of a site."""
    return f"{site}_ = Mul({value}, scale_{site}) {result} = Add({site}_, shift_{site})"


@dataclass(frozen=True)
class Piece:
    """A graph from ``x`` to ``y``.

    Attributes:
        nodes: nodes in ONNX's text format.
        x: shape of the input.
        channels: number of channels of each site, by its name.
        arrays: shapes of the initializers by name.
        rank: number of dimensions of the sites' inputs.
    """

    nodes: str
    x: tuple[int, ...]
    channels: dict[str, int]
    arrays: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    rank: int = 4

    def sites(self) -> list[NormSite]:
        sites: list[NormSite] = []
        for name, channels in self.channels.items():
            offset = sum(site.channels for site in sites)
            sites.append(NormSite(name, ReciprocalNorm(channels), offset, self.rank))
        return sites

    def model(self) -> ir.Model:
        """The graph; scales and shifts of all sites are inputs, scales first."""
        inputs = [_typed("x", self.x)]
        for kind in ("scale", "shift"):
            for name, channels in self.channels.items():
                inputs.append(_typed(f"{kind}_{name}", (channels, *[1] * (self.rank - 2))))
        generator = np.random.default_rng(0)
        arrays = []
        for name, shape in self.arrays.items():
            values = ", ".join(f"{value:.3f}" for value in generator.normal(size=shape).ravel())
            arrays.append(f"{_typed(name, shape)} = {{{values}}}")
        text = f"""<ir_version: 10, opset_import: ["" : 20]>
            g ({", ".join(inputs)}) => (float[...] y) <{", ".join(arrays)}> {{ {self.nodes} }}"""
        parsed = onnx.parser.parse_model(text.replace("[...]", ""))
        return ir.from_proto(onnx.shape_inference.infer_shapes(parsed))

    def fold(self) -> tuple[ir.Model, list[Site], dict[str, Floats]]:
        """The folded graph, the table of sites, and the unfolded arrays."""
        model, count = self.model(), len(self.channels)
        inputs = list(model.graph.inputs)[1:]
        table, base = fold_graph(model, self.sites(), inputs[:count], inputs[count:])
        return model, table, base


def _typed(name: str, shape: tuple[int, ...]) -> str:
    return f"float[{', '.join(map(str, shape))}] {name}"


def run(model: ir.Model, inputs: dict[str, Floats]) -> Floats:
    session = make_session(ir.to_proto(model).SerializeToString(), {}, threads=1)
    result: Floats = session.run(["y"], inputs)[0]
    return result


def check(piece: Piece, seed: int = 1) -> dict[str, Site]:
    """Fold a graph with a random scale and shift; compare it with the graph that takes them as inputs."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=piece.x).astype(np.float32)
    scale, shift = generator.normal(size=(2, sum(piece.channels.values())))
    affine = {}
    for site in piece.sites():
        vectors: dict[str, Vector] = {"scale": scale, "shift": shift}
        for kind, vector in vectors.items():
            part = vector[site.slice].astype(np.float32)
            affine[f"{kind}_{site.name}"] = part.reshape(site.broadcast_shape)
    expected = run(piece.model(), {"x": x, **affine})

    model, table, base = piece.fold()
    assert [value.name for value in model.graph.inputs] == ["x"]
    arrays = fold_sites(table, {**float_initializers(model), **base}, scale, shift)
    for name, array in arrays.items():
        model.graph.initializers[name].const_value = ir.tensor(array, name=name)
    onnx.checker.check_model(ir.to_proto(model))
    np.testing.assert_allclose(run(model, {"x": x}), expected, rtol=1e-4, atol=1e-4)
    return {site.name: site for site in table}


AFTER = norm("a", "c", "y")


def place(site: Site) -> tuple[str, int, int] | None:
    """Side, axis and groups of the layer that a site is folded into."""
    return (site.side, site.axis, site.groups) if site.folded else None


def after(
    layer: str,
    x: tuple[int, ...],
    arrays: dict[str, tuple[int, ...]],
    rank: int | None = None,
    channels: int = 2,
) -> Piece:
    """A site ``a`` that normalizes ``c``, the output of a layer or of what follows one."""
    return Piece(f"{layer} {AFTER}", x, {"a": channels}, arrays, rank or len(x))


def before(
    layer: str, x: tuple[int, ...], arrays: dict[str, tuple[int, ...]], rank: int | None = None
) -> Piece:
    """A site ``a`` that normalizes the input and returns ``n``."""
    return Piece(f"{norm('a', 'x', 'n')} {layer}", x, {"a": x[1]}, arrays, rank or len(x))
