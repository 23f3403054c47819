"""Checks that the parts of a bundle fit each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bundle import files
from bundle.errors import BundleError
from bundle.fold import site_problem
from bundle.interface import Signature, TensorType, feature_names, signatures
from bundle.manifest import Manifest
from bundle.reading.graphs import check_byte_ranges, check_valid, external_initializers, parse_graph


def check_graph(name: str, content: bytes, manifest: Manifest) -> onnx.ModelProto:
    """Parse a graph and check that its inputs and outputs are those that its file must have.

    Args:
        name: name of the file.
        content: its bytes.
        manifest: manifest of the bundle.

    Returns:
        The parsed graph.

    Raises:
        BundleError: saying what is wrong with it.
    """
    return _check_model(name, content, manifest, signatures(manifest)[name])


def wanted_arrays(name: str, model: onnx.ModelProto) -> dict[str, TensorType]:
    """Types and shapes of the external initializers of a graph, by name.

    Raises:
        BundleError: if no node uses one of them. ONNX Runtime drops such initializers, and then fails
            when it is given their arrays.
    """
    used = {value for node in model.graph.node for value in node.input}
    for tensor in external_initializers(model.graph):
        if tensor.name not in used:
            raise BundleError(f"{name} holds {tensor.name!r}, which none of its nodes uses")
    return {
        tensor.name: TensorType(_dtype(name, tensor.data_type), tuple(tensor.dims))
        for tensor in external_initializers(model.graph)
    }


def check_variants(manifest: Manifest, contents: Mapping[str, bytes]) -> None:
    """Check that the manifest describes every variant, and that their inputs and outputs are right."""
    described = {variant.file for variant in manifest.variants.values()}
    listed = set(files.VARIANTS.values()).intersection(contents)
    if described != listed:
        raise BundleError(
            f"{files.MANIFEST} describes the variants {sorted(described)} but lists the files"
            f" {sorted(listed)}"
        )
    expected = signatures(manifest)[files.PREDICT]
    for precision, variant in manifest.variants.items():
        name = files.VARIANTS[precision]
        if variant.file != name:
            raise BundleError(
                f"{files.MANIFEST}: the file of the variant {precision} must be {name}"
            )
        model = _check_model(name, contents[name], manifest, expected)
        check_byte_ranges(name, model, None, {})


def check_input_profile(manifest: Manifest) -> None:
    """Check that the input profile covers the features that ``observe.onnx`` returns."""
    profile = manifest.input_profile
    expected = feature_names(manifest)
    if profile is not None and profile.features != expected:
        raise BundleError(
            f"{files.MANIFEST}: the input profile must cover {', '.join(expected)},"
            f" not {', '.join(profile.features)}"
        )


def check_arrays(
    name: str, arrays: Mapping[str, NDArray[Any]], wanted: Mapping[str, TensorType]
) -> None:
    """Check that a file holds the arrays that a graph needs.

    Args:
        name: name of the file.
        arrays: its arrays by name.
        wanted: types and shapes by name.
    """
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
        manifest: manifest of the bundle.
        predict, base: arrays of ``predict.safetensors`` and ``base.safetensors``.
        wanted: external initializers of ``predict.onnx``.
    """
    for site in manifest.sites:
        arrays = {key: _array(files.PREDICT_WEIGHTS, predict, key) for key in site.arrays}
        for key, array in arrays.items():
            if key not in wanted:
                raise BundleError(
                    f"{files.PREDICT} does not use the array {key!r} of site {site.name!r}"
                )
            if array.dtype != np.float32 or not array.size:
                raise BundleError(
                    f"{files.PREDICT_WEIGHTS}: {key!r} must hold float32 values, not"
                    f" {TensorType(array.dtype, array.shape)}"
                )
            if site.folded:
                check_arrays(files.BASE, base, {key: TensorType(array.dtype, array.shape)})
        problem = site_problem(site, {key: array.shape for key, array in arrays.items()})
        if problem is not None:
            raise BundleError(f"{files.PREDICT_WEIGHTS}: {problem}")


def _check_model(
    name: str, content: bytes, manifest: Manifest, expected: Signature
) -> onnx.ModelProto:
    model = parse_graph(name, content, manifest.opset)
    _check_values(name, "input", model.graph.input, expected.inputs)
    _check_values(name, "output", model.graph.output, expected.outputs)
    check_valid(name, model)
    return model


def _array(name: str, arrays: Mapping[str, NDArray[Any]], key: str) -> NDArray[Any]:
    if key not in arrays:
        raise BundleError(f"{name} lacks the array {key!r}, which the bundle needs")
    return arrays[key]


def _check_values(name: str, kind: str, values: Any, expected: Mapping[str, TensorType]) -> None:
    found = {
        value.name: TensorType(
            _dtype(name, value.type.tensor_type.elem_type),
            tuple(d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim),
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
