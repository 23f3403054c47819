"""Information maximization, for predictions that are individually certain and collectively diverse."""

import math

import torch
from torch import Tensor

from rn_model.objectives.parts.entropy import prediction_entropy


def information_maximization_loss(logits: Tensor, diversity: float = 1.0) -> Tensor:
    """The mean entropy of the predictions minus the entropy of their mean.

    Source: Liang et al., "Do We Really Need to Access the Source Data? Source Hypothesis Transfer for
    Unsupervised Domain Adaptation" (arXiv:2002.08546), section 3.2, equation 3: ``L_ent + L_div``,
    without the constant ``log K``.

    Args:
        logits: outputs for target images, ``(N, K)``.
        diversity: weight of the second term.

    Returns:
        A scalar in nats between ``-diversity * log K`` and ``log K``; at most 0 if ``diversity`` is 1.

    Raises:
        ValueError: if ``logits`` has another number of dimensions or no images.
    """
    if logits.dim() != 2 or logits.shape[0] == 0:
        raise ValueError(f"expected logits (N, K) of at least one image, got {tuple(logits.shape)}")
    log_mean = torch.logsumexp(torch.log_softmax(logits, dim=1), dim=0) - math.log(len(logits))
    return prediction_entropy(logits).mean() + diversity * (log_mean.exp() * log_mean).sum()
