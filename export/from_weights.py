"""Exports a file of pretrained weights, without a training and without images."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, ValidationError

from bundle.manifest import Precision
from bundle.preprocessing import Decoding, Preprocessing
from export.bundle_info import BundleInfo
from export.checks.labelled_images import read_labelled
from export.contract import read_classes, read_preprocessing
from export.errors import ExportError
from export.exporter import Built
from export.pretrained import build_pretrained
from export.variants.conversion import MAX_LOSS, VariantOptions
from rn_model.backbones import BackboneConfig
from rn_model.backbones.pretrained import make_pretrained, published_preprocessing


@dataclass(frozen=True)
class WeightsOptions:
    """Options for exporting a file of weights.

    Attributes:
        backbone: name of the network, as in a training configuration.
        classes: labels; see :func:`export.contract.read_classes`.
        preprocessing: preprocessing contract; see :func:`export.contract.read_preprocessing`. None for
            the one that the network's library publishes.
        decoding: how a JPEG is decoded; None as ``preprocessing`` says.
        precisions, max_loss: see :class:`export.variants.conversion.VariantOptions`.
        test: folder or ``.npz`` file of labelled target images, on which the accuracy of variants is
            reported; None to report none.
        free_size: whether the graphs take images of any height and width.
    """

    backbone: str
    classes: str
    preprocessing: str | None = None
    decoding: Decoding | None = None
    precisions: tuple[Precision, ...] = ()
    max_loss: float = MAX_LOSS
    test: Path | None = None
    free_size: bool = False


def build_weights(path: Path, name: str, options: WeightsOptions) -> Built:
    """Build the bundle of a file of weights in memory.

    Args:
        path: file of weights, or folder of a model of transformers.
        name: name of the model.
        options: options of the export.

    Raises:
        ValueError: if network, weights, classes and preprocessing do not fit each other, or the network
            cannot be exported; its message is one line.
    """
    if not path.exists():
        raise ExportError(f"there is no file of weights {path}")
    try:
        folder = options.backbone.startswith("transformers:") and path.is_dir()
        config = BackboneConfig(name=options.backbone, weights=None if folder else path)
    except ValidationError as error:
        raise ExportError(error.errors(include_url=False)[0]["msg"]) from error
    classes = read_classes(options.classes)
    preprocessing = _preprocessing(config, options)
    height, width, channels = preprocessing.shape
    model = make_pretrained(config, len(classes), channels, (height, width))
    labelled = None
    if options.test is not None:
        labelled = read_labelled(options.test, classes, preprocessing)
    return build_pretrained(
        model,
        BundleInfo(name, classes, preprocessing, _provenance(config, options)),
        variants=VariantOptions(options.precisions, options.max_loss, labelled),
        free_size=options.free_size,
    )


def _preprocessing(config: BackboneConfig, options: WeightsOptions) -> Preprocessing:
    if options.preprocessing is not None:
        found = read_preprocessing(options.preprocessing)
    elif (published := published_preprocessing(config)) is not None:
        found = published
    else:
        raise ExportError(
            f"{config.name} does not say how its images are prepared: give --preprocessing imagenet, a"
            " YAML or JSON file, or fields in braces"
        )
    if options.decoding is None:
        return found
    try:
        return Preprocessing.model_validate({**found.model_dump(), "decoding": options.decoding})
    except ValidationError as error:
        raise ExportError(f"preprocessing: {error.errors(include_url=False)[0]['msg']}") from error


def _provenance(config: BackboneConfig, options: WeightsOptions) -> dict[str, JsonValue]:
    file = config.weights_file
    assert file is not None
    return {
        "backbone": config.name,
        "weights": file.name,
        "weights_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "preprocessing": "given" if options.preprocessing else f"as published for {config.name}",
    }
