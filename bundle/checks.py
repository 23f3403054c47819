"""Checks that the parts of a bundle fit each other, so that what was loaded can be run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bundle import files
from bundle.errors import BundleError
from bundle.manifest import Manifest, Site
from bundle.signature import BATCH, TensorType, signatures

MAX_OPSET = 25


def check_graph(name: str, content: bytes, manifest: Manifest) -> dict[str, TensorType]:
    """Check that a graph is what its file name says.

    Returns:
        Type and shape of its initializers that are kept outside of it, by name.
    """
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf raises several unrelated types
        raise BundleError(f"{name} is not an ONNX graph") from error
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets != {"": manifest.opset} or manifest.opset > MAX_OPSET:
        raise BundleError(
            f"{name} uses operator sets {opsets}; this program runs the default one"
            f" up to version {MAX_OPSET}, and the manifest says {manifest.opset}"
        )
    expected = signatures(manifest)[name]
    _check_values(name, "input", model.graph.input, expected.inputs)
    _check_values(name, "output", model.graph.output, expected.outputs)
    outside = onnx.TensorProto.EXTERNAL
    return {
        tensor.name: TensorType(_dtype(name, tensor.data_type), tuple(tensor.dims))
        for tensor in model.graph.initializer
        if tensor.data_location == outside
    }


def check_arrays(
    name: str, arrays: Mapping[str, NDArray[Any]], wanted: Mapping[str, TensorType]
) -> None:
    """Check that a file holds the arrays that a graph wants."""
    for key, expected in wanted.items():
        array = _array(name, arrays, key)
        found = TensorType(array.dtype, array.shape)
        if found != expected:
            raise BundleError(f"{name}: {key!r} must be {expected}, not {found}")


def check_sites(
    manifest: Manifest,
    predict: Mapping[str, NDArray[Any]],
    base: Mapping[str, NDArray[Any]],
    wanted: Mapping[str, TensorType],
) -> None:
    """Check that every site can be folded into the arrays of ``predict.onnx``.

    Args:
        predict, base: the arrays of these files.
        wanted: the initializers that ``predict.onnx`` takes.
    """
    for site in manifest.sites:
        for key in _names(site):
            array = _array(files.PREDICT_WEIGHTS, predict, key)
            if key not in wanted:
                raise BundleError(f"{files.PREDICT} does not take {key!r} of site {site.name!r}")
            axis = site.axis if key == site.weight else 0
            if array.shape[axis : axis + 1] != (site.channels,):
                raise BundleError(
                    f"{files.PREDICT_WEIGHTS}: {key!r} must have {site.channels} channels along axis"
                    f" {axis}, not shape {array.shape}"
                )
            if site.folded:
                check_arrays(files.BASE, base, {key: TensorType(array.dtype, array.shape)})


def _names(site: Site) -> list[str]:
    names = (site.weight, site.bias) if site.folded else (site.scale, site.shift)
    return [name for name in names if name is not None]


def _array(name: str, arrays: Mapping[str, NDArray[Any]], key: str) -> NDArray[Any]:
    if key not in arrays:
        raise BundleError(f"{name} does not hold {key!r}, which the bundle needs")
    return arrays[key]


def _check_values(name: str, kind: str, values: Any, expected: Mapping[str, TensorType]) -> None:
    found = {
        value.name: TensorType(
            _dtype(name, value.type.tensor_type.elem_type),
            tuple(d.dim_value or BATCH for d in value.type.tensor_type.shape.dim),
        )
        for value in values
    }
    if found != expected:
        raise BundleError(f"{name}: {kind}s must be {_show(expected)}, not {_show(found)}")


def _show(types: Mapping[str, TensorType]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in types.items())


def _dtype(name: str, code: int) -> np.dtype[Any]:
    try:
        return onnx.helper.tensor_dtype_to_np_dtype(code)
    except KeyError as error:
        raise BundleError(f"{name} holds a tensor of the unknown type {code}") from error
