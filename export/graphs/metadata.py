"""Metadata of an ONNX file, for readers who only have that file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import onnx

from bundle.manifest import SCHEMA_VERSION
from bundle.preprocessing import Preprocessing

DISTRIBUTION = "reciprocal-norm"


def properties(
    name: str,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    normalization: str,
    weights: bytes,
) -> dict[str, str]:
    """Metadata of ``predict.onnx`` and its variants: strings by key.

    Args:
        name: name of the model.
        classes: labels in the order of the logits; a JSON array in the metadata.
        preprocessing: preprocessing contract; a JSON object in the metadata.
        normalization: method of the layers that were folded.
        weights: content of ``predict.safetensors``; ``fingerprint`` is its SHA-256. All files made from
            these weights carry it, so it identifies the bundle that a file comes from.
    """
    return {
        "name": name,
        "classes": json.dumps(list(classes), ensure_ascii=False),
        "preprocessing": preprocessing.model_dump_json(),
        "normalization": normalization,
        "fingerprint": hashlib.sha256(weights).hexdigest(),
        "schema_version": str(SCHEMA_VERSION),
        "code_version": version(DISTRIBUTION),
    }


def annotate(model: onnx.ModelProto, metadata: Mapping[str, str], precision: str) -> None:
    """Replace the metadata of a model.

    Args:
        model: model to change in place.
        metadata: result of :func:`properties`.
        precision: precision of the weights, such as ``float32``.
    """
    onnx.helper.set_model_props(model, {**metadata, "precision": precision})
