"""The treatment of gates and shares by an optimizer: no weight decay, and projection after each step."""

from typing import Any

from torch import nn

from rn_model.layers.domain_norm import domain_norms


def project_parameters(model: nn.Module) -> None:
    """Move the gates of RN and the shares of AutoDIAL to their nearest allowed values, in place.

    Call it after each optimizer step (RN: arXiv:2112.10474, section 3.3; AutoDIAL: arXiv:1704.08082,
    section 3.1).

    Args:
        model: model with any normalization layers.
    """
    for _, layer in domain_norms(model):
        layer.project_parameters()


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer, with gates and shares exempt from weight decay.

    Weight decay would pull them away from 1 even without any gradient.

    Args:
        model: model with any normalization layers.
        weight_decay: weight decay of all other parameters.

    Returns:
        A group of all other parameters, and a group of gates and shares if there are any.

    Example:
        >>> from rn_model import convert_normalization
        >>> model = convert_normalization(nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8)), "rn")
        >>> [group["weight_decay"] for group in parameter_groups(model, weight_decay=5e-4)]
        [0.0005, 0.0]
    """
    gates = [gate for _, layer in domain_norms(model) for gate in layer.gate_parameters()]
    known = {id(gate) for gate in gates}
    others = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups = [{"params": others, "weight_decay": weight_decay}]
    return [*groups, {"params": gates, "weight_decay": 0.0}] if gates else groups
