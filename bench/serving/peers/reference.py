"""What every peer does with an image: decode, resize, run, and give the most probable classes.

The folder of the network is in the environment variable ``BENCH_MODEL``. This file is run in the peers' own
environments, so it imports nothing of this project.
"""

import io
import json
import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

TOP = 5
FOLDER = Path(os.environ["BENCH_MODEL"])
_CONTRACT = json.loads((FOLDER / "contract.json").read_text())
SIZE = (_CONTRACT["width"], _CONTRACT["height"])


def make_session() -> ort.InferenceSession:
    """A session with one intra-operator thread: there are as many workers as processors."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(FOLDER / "model.onnx", options, ["CPUExecutionProvider"])


def read_image(content: bytes) -> np.ndarray:
    """Pixels ``(1, H, W, 3)`` uint8 of an image file."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    return np.asarray(image.resize(SIZE, Image.Resampling.BILINEAR))[None]


def read_array(content: bytes) -> np.ndarray:
    """Pixels ``(N, H, W, 3)`` uint8 of an ``.npy`` file."""
    return np.load(io.BytesIO(content), allow_pickle=False)


def read(content: bytes) -> np.ndarray:
    """Pixels of an image file or an ``.npy`` file."""
    return read_array(content) if content.startswith(b"\x93NUMPY") else read_image(content)


def best(session: ort.InferenceSession, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and probabilities ``(K,)`` of the most probable classes of the first image."""
    logits = session.run(["logits"], {"image": pixels})[0][0].astype(np.float64)
    exponentials = np.exp(logits - logits.max())
    probabilities = exponentials / exponentials.sum()
    numbers = np.argsort(-probabilities)[:TOP]
    return numbers, probabilities[numbers]


def answer(session: ort.InferenceSession, content: bytes) -> dict[str, list]:
    """The most probable classes as JSON values."""
    numbers, probabilities = best(session, read(content))
    return {"classes": numbers.tolist(), "probabilities": probabilities.tolist()}
