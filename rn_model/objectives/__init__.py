"""Adaptation objectives: losses that train a network on unlabelled target images.

One module per objective (DANN, CDAN, MCC, SHOT, BNM, ETN, BA3US); :mod:`~rn_model.objectives.parts` holds
what several of them use.
"""

from rn_model.objectives.ba3us import BA3US, balanced_domain_loss
from rn_model.objectives.base import Batch, Objective, TargetPredictions
from rn_model.objectives.bnm import BNM, bnm_loss
from rn_model.objectives.cdan import CDAN, EntropyCDAN, cdan_loss
from rn_model.objectives.config import ObjectiveConfig, make_objective
from rn_model.objectives.dann import DANN, dann_loss
from rn_model.objectives.etn import ETN, transferability, transferability_loss
from rn_model.objectives.mcc import MCC, mcc_loss
from rn_model.objectives.parts.complement_entropy import complement_entropy_loss
from rn_model.objectives.parts.discriminator import (
    ConditionalDiscriminator,
    DomainDiscriminator,
    domain_loss,
)
from rn_model.objectives.parts.entropy import certainty_weight, prediction_entropy
from rn_model.objectives.parts.gradient_reversal import reversal_strength, reverse_gradient
from rn_model.objectives.parts.information_maximization import information_maximization_loss
from rn_model.objectives.parts.leaky_softmax import (
    leaky_log_complement,
    leaky_log_softmax,
    leaky_logit,
)
from rn_model.objectives.parts.multilinear import MultilinearMap, multilinear_map
from rn_model.objectives.parts.pseudo_labels import centroid_labels
from rn_model.objectives.registry import OBJECTIVES, ObjectiveName
from rn_model.objectives.shot import SHOT, shot_loss

__all__ = [
    "BA3US",
    "BNM",
    "CDAN",
    "DANN",
    "ETN",
    "MCC",
    "OBJECTIVES",
    "SHOT",
    "Batch",
    "ConditionalDiscriminator",
    "DomainDiscriminator",
    "EntropyCDAN",
    "MultilinearMap",
    "Objective",
    "ObjectiveConfig",
    "ObjectiveName",
    "TargetPredictions",
    "balanced_domain_loss",
    "bnm_loss",
    "cdan_loss",
    "centroid_labels",
    "certainty_weight",
    "complement_entropy_loss",
    "dann_loss",
    "domain_loss",
    "information_maximization_loss",
    "leaky_log_complement",
    "leaky_log_softmax",
    "leaky_logit",
    "make_objective",
    "mcc_loss",
    "multilinear_map",
    "prediction_entropy",
    "reversal_strength",
    "reverse_gradient",
    "shot_loss",
    "transferability",
    "transferability_loss",
]
