"""Exports an adapted model as a bundle."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from bundle import files
from bundle.manifest import SCHEMA_VERSION, Manifest, Precision, TargetStatistics, Variant
from bundle.preprocessing import Pixels
from bundle.writing.storage import check_path, describe_files, write_bundle
from export.assembly import Assembly, assemble
from export.bundle_info import BundleInfo
from export.checks.batch import check_graph_alone, check_network_alone
from export.checks.free_size import check_larger, larger_logits
from export.checks.images import check_images, random_images
from export.checks.parity import (
    check_batch_moments,
    check_observations,
    check_predictions,
    torch_logits,
)
from export.checks.reference import check_reference
from export.graphs.embedded_arrays import embed, serialize
from export.graphs.metadata import annotate, properties
from export.graphs.tracing import OPSET
from export.guard_calibration import UPDATES, calibrate_guards
from export.input_profile import input_profile
from export.network.pixel_scaling import PixelScaling
from export.network.sites import NormSite, find_sites
from export.preparation import check_logits, prepare_model
from export.sample_images import choose_samples, pack_sample_images
from export.spread import estimator_of, measure_spreads
from export.variants.conversion import NO_VARIANTS, VariantOptions, make_variants
from export.variants.image_split import ImageSplit, check_split, split_images
from rn_model.layers.domains import Domain
from rn_model.layers.shrinkage import Spread
from rn_model.runs.class_shares import ClassShares


class Built(NamedTuple):
    """A bundle in memory, not written yet: its manifest, and the content of its other files by name."""

    manifest: Manifest
    contents: dict[str, bytes]


def export_bundle(
    model: nn.Module,
    path: Path,
    info: BundleInfo,
    *,
    images: Pixels | None = None,
    spread_images: Pixels | None = None,
    statistics: Domain = "target",
    sample_images: bool = True,
    variants: VariantOptions = NO_VARIANTS,
    free_size: bool = False,
    calibration_updates: int = UPDATES,
    relations: bool = False,
    class_shares: ClassShares | None = None,
    replace: bool = False,
) -> Manifest:
    """Fold the target branch of a converted model and write it as a bundle.

    Args:
        model, info, images, spread_images, statistics, sample_images, variants, free_size,
            calibration_updates, relations, class_shares: see :func:`build_bundle`.
        path: directory to write.
        replace: whether an existing bundle may be replaced.

    Raises:
        ExportError: if the network cannot be exported faithfully.
        BundleError: if the path exists, unless it is a bundle that may be replaced.
        OSError: if the bundle cannot be written; nothing is left behind.
    """
    check_path(path, replace=replace)
    built = build_bundle(
        model,
        info,
        images=images,
        spread_images=spread_images,
        statistics=statistics,
        sample_images=sample_images,
        variants=variants,
        free_size=free_size,
        calibration_updates=calibration_updates,
        relations=relations,
        class_shares=class_shares,
    )
    write_bundle(path, built.manifest, built.contents, replace=replace)
    return built.manifest


def build_bundle(
    model: nn.Module,
    info: BundleInfo,
    *,
    images: Pixels | None = None,
    spread_images: Pixels | None = None,
    statistics: Domain = "target",
    sample_images: bool = True,
    variants: VariantOptions = NO_VARIANTS,
    free_size: bool = False,
    calibration_updates: int = UPDATES,
    relations: bool = False,
    class_shares: ClassShares | None = None,
) -> Built:
    """Fold the target branch of a converted model into the files of a bundle.

    Args:
        model: network that maps ``(N, C, H, W)`` float32 to logits ``(N, K)``; its BatchNorm layers were
            converted (:func:`rn_model.convert_normalization`). Left unchanged.
        info: name, classes, preprocessing and provenance.
        images: unlabelled target images ``(N, H, W, C)`` uint8, already preprocessed. They are used for
            checking the graphs, for the input profile, for int8 calibration and as sample images. If
            None, the graphs are checked on random images.
        spread_images: other images that the spread at every site is measured on, where ``images`` are
            none or not of the domain that the statistics describe; of them nothing else enters the
            bundle. Without either, a typical spread is assumed.
        statistics: domain whose raw moments the target branch starts with; ``source`` for a model that
            has not seen target images yet.
        sample_images: whether to put some of the images into the bundle.
        variants: which variants of ``predict.onnx`` in lower precision to add.
        free_size: whether the graphs take images of any height and width.
        calibration_updates: number of harmless updates that the service's guard is calibrated with.
        relations: whether the moments of few images are shrunk by the relations of the channels, see
            :mod:`rn_model.layers.shrinkage`.
        class_shares: class shares of the source, and how its classes are confused, by which the service
            estimates those of the target.

    Raises:
        ExportError: if the network cannot be exported faithfully.
    """
    info.check()
    split, checked = _split_images(info, images, variants)
    model = prepare_model(model, statistics)
    scaling = PixelScaling(info.preprocessing)
    example = torch.zeros((2, *info.preprocessing.shape), dtype=torch.uint8)
    sites = find_sites(model, scaling(example))
    check_logits(model(scaling(example)), info.classes)
    check_network_alone(model, scaling, checked)
    network = nn.Sequential(scaling, model).eval()
    larger = larger_logits(network, checked) if free_size else None
    measured = images if spread_images is None else spread_images
    spreads = measure_spreads(network, sites, measured, relations)
    parts = assemble(model, sites, scaling, example, spreads, free_size)
    parity = _check(parts, network, sites, spreads, checked, larger)
    normalization = sites[0].layer.normalization
    contents, table = _annotate_and_vary(parts, info, normalization, split, variants)
    guards = None
    if images is not None:
        samples = choose_samples(images) if sample_images else None
        guards = calibrate_guards(
            parts,
            images,
            samples,
            calibration_updates,
            free_size=free_size,
            class_shares=class_shares,
        )
        if samples is not None:
            contents[files.SAMPLE_IMAGES] = pack_sample_images(samples)
    estimator = estimator_of(spreads)
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name=info.name,
        classes=tuple(info.classes),
        preprocessing=info.preprocessing,
        opset=OPSET,
        free_size=free_size,
        normalization=normalization,
        sites=tuple(parts.table),
        target=TargetStatistics(origin=statistics, images=int(sites[0].layer.num_images_target)),
        calibration=None if images is None else input_profile(images, free_size),
        estimator=estimator,
        guards=guards,
        parity=parity,
        variants=table,
        provenance=dict(info.provenance),
        files=describe_files(contents),
    )
    return Built(manifest, contents)


def _split_images(
    info: BundleInfo, images: Pixels | None, variants: VariantOptions
) -> tuple[ImageSplit, Pixels]:
    """Check all images, and split the target images; random images replace them if there are none.

    Returns:
        The split, and all images that the graphs are checked on.
    """
    labelled = variants.labelled
    for given in (images, None if labelled is None else labelled.images):
        if given is not None:
            check_images(given, info.preprocessing)
    checked = random_images(info.preprocessing) if images is None else images
    split = split_images(checked, calibrate=images is not None)
    check_split(split, variants.precisions)
    return split, checked


def _check(
    parts: Assembly,
    network: nn.Module,
    sites: Sequence[NormSite],
    spreads: Sequence[Spread],
    images: Pixels,
    larger: NDArray[np.float32] | None,
) -> dict[str, float]:
    """Compare the graphs with the network; ``larger`` are its logits if the image size is free."""
    expected = torch_logits(network, images)
    predict, observe = parts.contents[files.PREDICT], parts.contents[files.OBSERVE]
    observed = (observe, parts.observe_arrays, parts.moments, images)
    parity = check_predictions(expected, predict, parts.arrays, images)
    parity |= check_graph_alone(expected, predict, parts.arrays, images)
    parity |= check_observations(expected, *observed)
    parity |= check_batch_moments(network, sites, spreads, *observed)
    parity |= check_reference(network, expected, predict, parts.arrays, images)
    if larger is not None:
        parity |= check_larger(larger, predict, parts.arrays, images)
    return parity


def _annotate_and_vary(
    parts: Assembly,
    info: BundleInfo,
    normalization: str,
    images: ImageSplit,
    options: VariantOptions,
) -> tuple[dict[str, bytes], dict[Precision, Variant]]:
    """Write metadata into ``predict.onnx``, and add its variants.

    Returns:
        Content of all files by name, and what was measured of each variant.
    """
    weights = parts.contents[files.PREDICT_WEIGHTS]
    metadata = properties(info.name, info.classes, info.preprocessing, normalization, weights)
    model = onnx.load_model_from_string(parts.contents[files.PREDICT])
    annotate(model, metadata, "float32")
    contents = {**parts.contents, files.PREDICT: serialize(model)}
    if not options.precisions:
        return contents, {}
    model = embed(contents[files.PREDICT], parts.arrays)
    made, table = make_variants(model, images, metadata, options)
    return contents | made, table
