"""Weighted complement entropy, which makes the wrong classes of labelled images equally unlikely."""

import math

import torch
from torch import Tensor

from rn_model.objectives.parts.entropy import prediction_entropy


def complement_entropy_loss(
    logits: Tensor, labels: Tensor, weight: Tensor, alpha: float = 1.0
) -> Tensor:
    """Minus the mean entropy of the predictions among the wrong classes, relative to its maximum.

    Source: Liang et al., "A Balanced and Uncertainty-aware Approach for Partial Domain Adaptation"
    (arXiv:2003.02541), section 3.3, adaptive uncertainty suppression. An image counts with its weight
    times its uncertainty ``(1 - p_y) ** alpha``; no gradient flows through this product.

    Args:
        logits: outputs for labelled images, ``(N, K)``.
        labels: classes of the images, ``(N,)`` int64.
        weight: weights of the images, ``(N,)``, not negative.
        alpha: exponent of the uncertainty; larger values emphasize uncertain images.

    Returns:
        A scalar between -1 and 0; 0 for two classes, because a single wrong class has no entropy.
    """
    classes = logits.shape[1]
    if classes == 2:
        return 0 * logits.sum()
    index = torch.arange(classes - 1, device=logits.device).expand(len(logits), -1)
    wrong = logits.gather(1, index + (index >= labels.unsqueeze(1)).long())
    uncertainty = torch.logsumexp(wrong, dim=1) - torch.logsumexp(logits, dim=1)
    log_weight = weight.clamp_min(torch.finfo(weight.dtype).tiny).log() + alpha * uncertainty
    share = torch.softmax(log_weight.detach(), dim=0)
    return -(share * prediction_entropy(wrong)).sum() / math.log(classes - 1)
