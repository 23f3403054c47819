"""What an optimizer has to know of the parameters of normalizations."""

from typing import Any

from torch import nn

from rn_model.layers.domain_norm import domain_norms


def project_parameters(model: nn.Module) -> None:
    """Move the gates of Reciprocal Normalization and the shares of AutoDIAL into their ranges.

    Due after each optimizer step.
    """
    for _, layer in domain_norms(model):
        layer.project_parameters()


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters of a model for an optimizer: gates and shares without weight decay.

    Weight decay would pull them away from 1 although no gradient does.

    Returns:
        One group of all other parameters, with weight decay, and, if there are any, one of gates and
        shares without.
    """
    gates = [gate for _, layer in domain_norms(model) for gate in layer.gate_parameters()]
    known = {id(gate) for gate in gates}
    others = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups = [{"params": others, "weight_decay": weight_decay}]
    return [*groups, {"params": gates, "weight_decay": 0.0}] if gates else groups
