"""Prepares a model for its export."""

import copy
from collections.abc import Sequence

from torch import Tensor, nn

from bundle.text import describe_error
from export.errors import ExportError
from rn_model import domain_norms, set_branch
from rn_model.layers.domains import Domain


def prepare_model(model: nn.Module, statistics: Domain) -> nn.Module:
    """Copy a model to the CPU, in evaluation mode on the target branch.

    Args:
        model: converted network; left unchanged.
        statistics: domain whose raw moments the target branch starts with.

    Raises:
        ExportError: if the model cannot be copied.
    """
    try:
        model = copy.deepcopy(model)
    except Exception as error:  # a network that defines its own copying may raise anything
        reason = describe_error(error, first_line=True)
        raise ExportError(f"the network cannot be copied: {reason}") from error
    model = model.cpu().float().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    set_branch(model, "target")
    if statistics == "source":
        for _, layer in domain_norms(model):
            layer.set_running("target", layer.running("source"), int(layer.num_images_source))
    return model


def check_logits(logits: object, classes: Sequence[str]) -> None:
    """Check that the output of a model is one logit per class.

    Raises:
        ExportError: if it is not a tensor, or has another shape than ``(N, K)``.
    """
    if not isinstance(logits, Tensor):
        raise ExportError(
            f"the model returns a {type(logits).__name__} instead of logits: wrap it in a module that"
            " returns only logits"
        )
    if logits.dim() != 2 or logits.shape[1] != len(classes):
        raise ExportError(
            f"the model's output has shape {tuple(logits.shape)}, expected (N, {len(classes)}) for"
            f" {len(classes)} classes"
        )
