"""Loads pretrained weights from local files, as people have saved them, into a network.

- :mod:`~rn_model.backbones.weights.files`: reads a file, without running code in it.
- :mod:`~rn_model.backbones.weights.nesting`: finds the state dicts in what was read.
- :mod:`~rn_model.backbones.weights.fitting`: chooses the one that fits a network, and its prefix.
- :mod:`~rn_model.backbones.weights.loading`: loads it.
"""

from rn_model.backbones.weights.loading import load_classifier, load_features

__all__ = ["load_classifier", "load_features"]
