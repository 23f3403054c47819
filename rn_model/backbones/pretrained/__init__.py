"""Whole pretrained classifiers that are used as they are, without a training.

- :mod:`~rn_model.backbones.pretrained.classifier`: makes the network and loads its weights.
- :mod:`~rn_model.backbones.pretrained.preprocessing`: how its library prepares images for it.
"""

from rn_model.backbones.pretrained.classifier import make_pretrained
from rn_model.backbones.pretrained.preprocessing import published_preprocessing

__all__ = ["make_pretrained", "published_preprocessing"]
