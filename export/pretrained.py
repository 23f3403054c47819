"""Exports a pretrained BatchNorm network as it is, so that its statistics follow the images it gets."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue
from torch import nn

from bundle.manifest import Manifest
from bundle.preprocessing import Preprocessing
from bundle.text import describe_error
from bundle.writing.storage import check_path, write_bundle
from export.bundle_info import BundleInfo
from export.contract import read_preprocessing
from export.errors import ExportError
from export.exporter import Built, build_bundle
from export.variants.conversion import NO_VARIANTS, VariantOptions
from rn_model import convert_normalization, domain_norms
from rn_model.layers.conversion.refusals import check_convertible

ORIGIN: Mapping[str, JsonValue] = {
    "origin": "weights, exported without training on source or target images",
    "statistics": "running statistics of the network's BatchNorm layers",
}


def export_pretrained(
    model: nn.Module,
    classes: Sequence[str],
    preprocessing: Preprocessing | str,
    path: Path,
    *,
    name: str | None = None,
    provenance: Mapping[str, JsonValue] | None = None,
    free_size: bool = False,
    replace: bool = False,
) -> Manifest:
    """Write a network with BatchNorm as a bundle, without training it.

    The bundle predicts what the network does in evaluation mode, and its target statistics follow the
    images that a service adapts to. Neither source nor target images are needed.

    Args:
        model: network from float images ``(N, C, H, W)`` to logits ``(N, K)``. Left unchanged.
        classes: labels in the order of the logits.
        preprocessing: the contract, or what :func:`export.contract.read_preprocessing` reads, such as
            ``"imagenet"``.
        path: directory to write.
        name: name of the model; None for the name of the directory.
        provenance: more about the origin of the network.
        free_size: whether the graphs take images of any height and width.
        replace: whether an existing bundle may be replaced.

    Raises:
        ExportError: if the network has no BatchNorm, or cannot be exported faithfully.
        BundleError: if the path exists, unless it is a bundle that may be replaced.
        OSError: if the bundle cannot be written; nothing is left behind.
    """
    check_path(path, replace=replace)
    if isinstance(preprocessing, str):
        preprocessing = read_preprocessing(preprocessing)
    info = BundleInfo(name or path.absolute().name, tuple(classes), preprocessing, provenance or {})
    built = build_pretrained(model, info, free_size=free_size)
    write_bundle(path, built.manifest, built.contents, replace=replace)
    return built.manifest


def build_pretrained(
    model: nn.Module,
    info: BundleInfo,
    *,
    variants: VariantOptions = NO_VARIANTS,
    free_size: bool = False,
) -> Built:
    """Build the bundle of a network with BatchNorm in memory.

    BatchNorm becomes AdaBN: a domain is normalized with its own moments alone. Both domains begin with
    the running statistics, so version 0 computes what the network does, and online adaptation then moves
    the target's. In a mixture with the source's moments, as BN's or RN's, new images would move only
    part of what normalizes them, by a share that was never trained.

    Args:
        model, free_size: see :func:`export_pretrained`.
        info: name, classes, preprocessing and provenance.
        variants: variants of ``predict.onnx`` in lower precision to add.

    Raises:
        ExportError: see :func:`export_pretrained`.
    """
    if next(domain_norms(model), None) is not None:
        raise ExportError("the network was converted already: use export_bundle")
    try:
        for where, module in model.named_modules():
            check_convertible(where, module)
        model = convert_normalization(copy.deepcopy(model), "adabn")
    except Exception as error:  # a network that defines its own copying may raise anything
        raise ExportError(f"the network cannot be converted: {describe_error(error)}") from error
    if next(domain_norms(model), None) is None:
        raise ExportError(
            "the network has no BatchNorm layer, so there are no statistics that could be adapted"
        )
    info = BundleInfo(info.name, info.classes, info.preprocessing, {**info.provenance, **ORIGIN})
    return build_bundle(model, info, statistics="source", variants=variants, free_size=free_size)
