"""The gates of Reciprocal Aggregation (RA): learned shares that stay in a range.

Source: Huang et al., "Reciprocal Normalization for Domain Adaptation", arXiv:2112.10474, section 3.3.
The layers own the gates, see :meth:`rn_model.layers.reciprocal_norm.ReciprocalNorm.gates`.
"""

from torch import Tensor


def project_gate(gate: Tensor, floor: float = 0.5) -> Tensor:
    """A gate, moved to its nearest value in ``[floor, 1]``, with the gradient of the identity.

    A gate of variances outside of [0, 1] could make a variance negative.

    Args:
        gate: gates of any shape.
        floor: lower end of the range; 0.5 in the paper (section 3.3).

    Returns:
        The projected gates, in the same shape.

    Example:
        >>> import torch
        >>> project_gate(torch.tensor([0.2, 0.75, 1.5]))
        tensor([0.5000, 0.7500, 1.0000])
    """
    return gate.clamp(floor, 1.0).detach() + (gate - gate.detach())
