"""What a bundle predicts, without any server."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort

from bench.serving.systems import Top
from bundle.loaded import Bundle
from bundle.reading.loading import load_bundle
from bundle.runtime import make_session
from bundle.scores import softmax
from rn.load.payload import NPY
from rn.load.sending.request import Payload

TOP = 5


def predict(path: Path, payload: Payload) -> Top:
    """The most probable classes of the first image of a request."""
    bundle, session = _loaded(path)
    if payload.content_type == NPY:
        pixels = np.load(io.BytesIO(payload.body), allow_pickle=False)
    else:
        pixels = bundle.manifest.preprocessing.read(payload.body)[None]
    (logits,) = session.run(["logits"], {"image": pixels})
    probabilities = softmax(logits)[0]
    return {
        int(number): float(probabilities[number]) for number in np.argsort(-probabilities)[:TOP]
    }


@cache
def _loaded(path: Path) -> tuple[Bundle, ort.InferenceSession]:
    bundle = load_bundle(path)
    return bundle, make_session(bundle.predict, bundle.predict_arrays, threads=1)
