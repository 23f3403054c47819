"""Computes the input profile of a bundle."""

import numpy as np
import torch

from bundle.interface import FEATURES
from bundle.manifest import InputProfile
from bundle.preprocessing import Pixels
from export.checks.parity import batches
from export.network.input_features import input_features


def input_profile(images: Pixels, free_size: bool = False) -> InputProfile:
    """Median and spread of the input features of images ``(N, H, W, C)`` uint8."""
    parts = [input_features(torch.from_numpy(part), free_size).numpy() for part in batches(images)]
    features = np.concatenate(parts).astype(np.float64)
    median = np.median(features, axis=0)
    spread = np.median(np.abs(features - median), axis=0)
    return InputProfile(features=FEATURES, median=tuple(median), spread=tuple(spread))
