"""Writes the bundle of an adapted model."""

import copy
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor, nn

from bundle import files
from bundle.manifest import Calibration, Manifest, TargetStatistics
from bundle.preprocessing import Pixels, Preprocessing
from bundle.signature import FEATURES
from bundle.storage import check_path, describe_files, write_bundle
from export.assembly import assemble
from export.graphs import Scaling, input_features
from export.parity import batches, check_observations, check_predictions, torch_logits
from export.sites import ExportError, NormSite, find_sites
from export.tracing import OPSET
from rn_model import domain_norms, set_branch
from rn_model.domain_norm import Domain

MAX_CANARY = 256


@dataclass(frozen=True)
class BundleInfo:
    """What a bundle says about a model beyond the model itself.

    Attributes:
        name: of the model: letters, digits, ``.``, ``_``, ``-``.
        classes: labels in the order of the logits.
        preprocessing: the contract under which the model was trained.
        provenance: JSON values that tell where the model comes from.
    """

    name: str
    classes: Sequence[str]
    preprocessing: Preprocessing
    provenance: Mapping[str, JsonValue]


def export_bundle(
    model: nn.Module,
    path: Path,
    info: BundleInfo,
    *,
    images: Pixels | None = None,
    statistics: Domain = "target",
    canary: bool = True,
    replace: bool = False,
) -> Manifest:
    """Fold the target branch of a converted model and write it as a bundle.

    Args:
        model: takes ``(N, C, H, W)`` float32, gives logits ``(N, K)``; its BatchNorm layers were
            converted (:func:`rn_model.convert_reciprocal_norm`). Left unchanged.
        path: the directory to make.
        info: name, classes, preprocessing, provenance.
        images: unlabeled target images ``(N, H, W, C)`` uint8, already preprocessed: the export is
            checked on them, and the guards calibrated. Random ones are used for the check if None.
        statistics: whose raw moments the target branch begins with. ``source`` makes the bundle of
            a model that has seen no target image yet.
        canary: whether some of the images may travel in the bundle.
        replace: whether a bundle that is already there may be replaced.

    Raises:
        ExportError: if the network cannot be exported faithfully.
        BundleError: if the path is taken.
        OSError: if it cannot be written; nothing is left behind.
    """
    check_path(path, replace=replace)
    if images is not None:
        _check_images(images, info.preprocessing)
    model = _prepare(model, statistics)
    scaling = Scaling(info.preprocessing)
    example = torch.zeros((2, *info.preprocessing.shape), dtype=torch.uint8)
    sites = find_sites(model, scaling(example))
    _check_classes(model(scaling(example)), info.classes)

    parts = assemble(model, sites, scaling, example)
    contents = dict(parts.contents)
    checked = images if images is not None else _random_images(info.preprocessing)
    expected = torch_logits(nn.Sequential(scaling, model), checked)
    parity = check_predictions(expected, contents[files.PREDICT], parts.arrays, checked)
    parity |= check_observations(
        expected, contents[files.OBSERVE], parts.observe_arrays, parts.moments, checked
    )
    if canary and images is not None:
        contents[files.CANARY] = _canary(images)
    manifest = Manifest(
        name=info.name,
        classes=tuple(info.classes),
        preprocessing=info.preprocessing,
        opset=OPSET,
        normalization=sites[0].layer.normalization,
        sites=tuple(parts.table),
        target=_statistics(sites, statistics),
        calibration=None if images is None else _calibration(images),
        parity=parity,
        provenance=dict(info.provenance),
        files=describe_files(contents),
    )
    write_bundle(path, manifest, contents, replace=replace)
    return manifest


def _check_images(images: Pixels, preprocessing: Preprocessing) -> None:
    wanted = (len(images), *preprocessing.shape)
    if images.dtype != np.uint8 or images.shape != wanted or not len(images):
        raise ExportError(
            f"the images must be uint8 {('N', *preprocessing.shape)} with N at least 1,"
            f" not {images.dtype} {images.shape}"
        )


def _prepare(model: nn.Module, statistics: Domain) -> nn.Module:
    model = copy.deepcopy(model).cpu().float().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    set_branch(model, "target")
    if statistics == "source":
        for _, layer in domain_norms(model):
            layer.set_running("target", layer.running("source"), int(layer.num_images_source))
    return model


def _check_classes(logits: Tensor, classes: Sequence[str]) -> None:
    if logits.dim() != 2 or logits.shape[1] != len(classes):
        raise ExportError(
            f"the model's output has shape {tuple(logits.shape)}, expected (N, {len(classes)}) for"
            f" {len(classes)} classes"
        )


def _statistics(sites: list[NormSite], origin: Domain) -> TargetStatistics:
    return TargetStatistics(origin=origin, images=int(sites[0].layer.num_images_target))


def _calibration(images: Pixels) -> Calibration:
    parts = [input_features(torch.from_numpy(part)).numpy() for part in batches(images)]
    features = np.concatenate(parts).astype(np.float64)
    median = np.median(features, axis=0)
    spread = np.median(np.abs(features - median), axis=0)
    return Calibration(features=FEATURES, median=tuple(median), spread=tuple(spread))


def _canary(images: Pixels) -> bytes:
    chosen = np.linspace(0, len(images) - 1, min(MAX_CANARY, len(images))).round().astype(int)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images[chosen])
    return buffer.getvalue()


def _random_images(preprocessing: Preprocessing) -> Pixels:
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (16, *preprocessing.shape), dtype=np.uint8)
