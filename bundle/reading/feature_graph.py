"""The graph of the input features alone, which needs none of the network."""

import onnx
from onnx.utils import Extractor

from bundle.interface import OBSERVE_INPUTS, OBSERVE_OUTPUTS


def feature_graph(observe: bytes) -> bytes:
    """The part of ``observe.onnx`` that maps images to their input features.

    Args:
        observe: serialized ``observe.onnx``.
    """
    image, features = OBSERVE_INPUTS[0], OBSERVE_OUTPUTS[-1]
    model = onnx.load_model_from_string(observe)
    found: bytes = Extractor(model).extract_model([image], [features]).SerializeToString()
    return found
