"""Reciprocal Aggregation (RA): a gated average of a domain's moments and their compensation.

Source: Huang et al., "Reciprocal Normalization for Domain Adaptation", arXiv:2112.10474, section 3.3.
"""

from torch import Tensor

from rn_model.layers.functional.gates import project_gate


def reciprocal_aggregation(
    own: Tensor, compensation: Tensor, gate: Tensor, floor: float = 0.5
) -> Tensor:
    """Reciprocal Aggregation (RA, section 3.3): a gated average of a moment and its compensation.

    ``mu~_d = a_d * mu_d + (1 - a_d) * cm_d`` for means and ``v~_d = b_d * v_d + (1 - b_d) * cv_d`` for
    variances, with gates ``a_d`` or ``b_d`` in ``[floor, 1]``.

    Args:
        own: moment of the domain, ``(*, C)``.
        compensation: compensation of that moment (RC), ``(*, C)``.
        gate: gates, ``(*, C)``; projected by :func:`project_gate`.
        floor: lower end of the range of gates.

    Returns:
        The effective moment, ``(*, C)``.

    Example:
        >>> import torch
        >>> own, compensation = torch.tensor([1.0, 1.0]), torch.tensor([3.0, 3.0])
        >>> reciprocal_aggregation(own, compensation, gate=torch.tensor([1.0, 0.5]))
        tensor([1., 2.])
    """
    inside = project_gate(gate, floor)
    return inside * own + (1 - inside) * compensation
