"""What an ONNX file says about itself, for whoever has nothing but the file."""

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
    """The metadata of ``predict.onnx`` and its variants: strings by key.

    Args:
        name: of the model.
        classes: labels in the order of the logits; a JSON array in the metadata.
        preprocessing: how an image file becomes the input; a JSON object in the metadata.
        normalization: method of the layers that were folded.
        weights: content of the bundle's file of weights; ``fingerprint`` is its SHA-256. Every file
            made of these weights has it, so it tells which bundle a file comes from.
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
    """Write metadata into a model, in place of what it had.

    Args:
        model: changed in place.
        metadata: as :func:`properties` gives it.
        precision: of the weights, in words.
    """
    onnx.helper.set_model_props(model, {**metadata, "precision": precision})
