"""Multilinear maps of features and predictions, exact and randomized."""

import math

import torch
from torch import Tensor, nn

LARGEST_EXACT_MAP = 4096


def multilinear_map(features: Tensor, probability: Tensor) -> Tensor:
    """The flattened outer product of predictions and features.

    Source: Long et al., "Conditional Adversarial Domain Adaptation" (arXiv:1705.10667), section 3.2.

    Shape:
        ``(N, D)`` and ``(N, K)`` to ``(N, K * D)``.
    """
    return (probability.unsqueeze(2) * features.unsqueeze(1)).flatten(1)


class MultilinearMap(nn.Module):
    """The multilinear map of features and predictions: exact if it is small enough, else randomized.

    The randomized map is ``(R_f f) * (R_g g) / sqrt(size)`` with fixed matrices of independent standard
    normal numbers. In expectation, the inner product of two of its values equals that of the exact map
    (arXiv:1705.10667, section 3.2, equations 4 to 6).

    Args:
        num_features: width of the features, D.
        num_classes: number of classes, K.
        size: length of the randomized map, which is used if ``K * D`` exceeds 4096, as in the paper.

    Attributes:
        out_features: length of the map.

    Shape:
        ``(N, D)`` and ``(N, K)`` to ``(N, out_features)``.
    """

    feature_matrix: Tensor | None
    class_matrix: Tensor | None

    def __init__(self, num_features: int, num_classes: int, size: int = 1024) -> None:
        super().__init__()
        randomized = num_features * num_classes > LARGEST_EXACT_MAP
        self.out_features = size if randomized else num_features * num_classes
        self.register_buffer(
            "feature_matrix", torch.randn(num_features, size) if randomized else None
        )
        self.register_buffer("class_matrix", torch.randn(num_classes, size) if randomized else None)

    def forward(self, features: Tensor, probability: Tensor) -> Tensor:
        if self.feature_matrix is None or self.class_matrix is None:
            return multilinear_map(features, probability)
        by_feature = features @ self.feature_matrix.to(features.dtype)
        by_class = probability @ self.class_matrix.to(probability.dtype)
        return by_feature * by_class / math.sqrt(self.out_features)
