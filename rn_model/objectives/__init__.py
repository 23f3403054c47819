"""What a network is trained for on unlabeled target images."""

from rn_model.objectives.cdan import ConditionalDiscriminator, cdan_loss, multilinear_map
from rn_model.objectives.entropy import certainty_weight, prediction_entropy
from rn_model.objectives.gradient_reversal import reversal_strength, reverse_gradient
from rn_model.objectives.mcc import mcc_loss

__all__ = [
    "ConditionalDiscriminator",
    "cdan_loss",
    "certainty_weight",
    "mcc_loss",
    "multilinear_map",
    "prediction_entropy",
    "reversal_strength",
    "reverse_gradient",
]
