"""A reader of bundles written from docs/bundle.md alone, without any code of this project."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from safetensors.numpy import load

Array = NDArray[Any]
REQUIRED = [
    "predict.onnx",
    "predict.safetensors",
    "observe.onnx",
    "compensate.onnx",
    "base.safetensors",
]


class Stranger:
    """A bundle, read as the specification says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = (path / "manifest.json").read_bytes()
        self.fingerprint = hashlib.sha256(text).hexdigest()
        assert (path / "manifest.sha256").read_text() == f"{self.fingerprint}  manifest.json\n"
        self.manifest = json.loads(text)
        assert self.manifest["schema_version"] in (2, 3, 4)
        assert set(REQUIRED) <= set(self.manifest["files"])
        for name, entry in self.manifest["files"].items():
            content = (path / name).read_bytes()
            assert len(content) == entry["size"]
            assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        self.base = load((path / "base.safetensors").read_bytes())
        self.predict_arrays = load((path / "predict.safetensors").read_bytes())
        self.moments = self.base["target.mean"], self.base["target.variance"]
        self.knows_base = self.manifest.get("estimator") is not None
        prior = float(self.manifest["target"].get("prior_count", 64))
        self.count = 0.0 if self.knows_base else prior

    def predict(self, image: Array, arrays: dict[str, Array] | None = None) -> Array:
        """Logits with the given arrays, or with those of the directory."""
        options = ort.SessionOptions()
        if arrays is not None:
            values = [ort.OrtValue.ortvalue_from_numpy(array) for array in arrays.values()]
            options.add_external_initializers(list(arrays), values)
        session = ort.InferenceSession(self.path / "predict.onnx", options)
        logits: Array = session.run(["logits"], {"image": image})[0]
        return logits

    def observe(self, image: Array, weight: Array) -> list[Array]:
        """All four outputs of observe.onnx under the current moments."""
        session = ort.InferenceSession(self.path / "observe.onnx")
        mean, variance = self.moments
        inputs = {
            "image": image,
            "image_weight": weight,
            "prior_weight": np.array(self.count, np.float32),
            "mean": mean.astype(np.float32),
            "variance": variance.astype(np.float32),
        }
        found: list[Array] = session.run(
            ["logits", "batch_mean", "batch_variance", "features"], inputs
        )
        return found

    def adapt(self, image: Array, limit: float = 2048) -> None:
        """Merge a batch into the moments."""
        _, batch_mean, batch_variance, _ = self.observe(image, np.ones(len(image), np.float32))
        mean, variance = self.moments
        self.count = min(self.count, limit - len(image))
        a = len(image) / (self.count + len(image))
        d = batch_mean.astype(np.float64) - mean
        self.moments = (
            mean + a * d,
            (1 - a) * variance + a * batch_variance + a * (1 - a) * d**2,
        )
        self.count += len(image)

    def refold(self) -> dict[str, Array]:
        """All arrays of predict.onnx under the current moments."""
        mean, variance = self.moments
        session = ort.InferenceSession(self.path / "compensate.onnx")
        inputs = {"mean": mean, "variance": variance}
        if self.knows_base:
            inputs["count"] = np.array(self.count)
        scale, shift = session.run(["scale", "shift"], inputs)
        arrays = dict(self.predict_arrays)
        for site in self.manifest["sites"]:
            part = slice(site["offset"], site["offset"] + site["channels"])
            arrays |= self.fold(site, scale[part], shift[part])
        return arrays

    def fold(self, site: dict[str, Any], s: Array, t: Array) -> dict[str, Array]:
        """The arrays of one site."""
        if site.get("weight") is None:
            return {
                site["scale"]: s.reshape(self.predict_arrays[site["scale"]].shape).astype("f4"),
                site["shift"]: t.reshape(self.predict_arrays[site["shift"]].shape).astype("f4"),
            }
        old = self.base[site["weight"]].astype(np.float64)
        bias = self.base[site["bias"]].astype(np.float64)
        weight = old.copy()
        axis, groups = site.get("axis", 0), site.get("groups", 1)
        inside = len(s) // groups
        across = old.shape[1 - axis] // groups
        for g in range(groups):
            for j in range(inside):
                c = g * inside + j
                place = [slice(None)] * old.ndim
                place[axis] = slice(j, j + 1)
                if groups > 1:
                    place[1 - axis] = slice(g * across, (g + 1) * across)
                where = tuple(place)
                weight[where] = old[where] * s[c]
                if site.get("side", "output") == "output":
                    bias[c] = bias[c] * s[c] + t[c]
                else:
                    others = tuple(k for k in range(old.ndim) if k != 1 - axis)
                    bias[place[1 - axis]] += t[c] * old[where].sum(axis=others)
        return {site["weight"]: weight.astype("f4"), site["bias"]: bias.astype("f4")}
