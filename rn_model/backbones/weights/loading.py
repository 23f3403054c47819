"""Loads pretrained weights from a file into a feature extractor or a whole classifier."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import nn

from rn_model.backbones.classifier import final_linear, final_linear_name
from rn_model.backbones.weights.files import read_checkpoint
from rn_model.backbones.weights.fitting import Fit, Wanted, best_fit
from rn_model.backbones.weights.nesting import Nested, seen_keys, state_dicts

_log = logging.getLogger(__name__)


def load_features(model: nn.Module, path: Path, *, heads: Iterable[str] = ()) -> None:
    """Load the weights of a feature extractor, in place.

    Args:
        model: feature extractor.
        path: file of its weights, or of those of a whole classifier or a larger network that contains
            it; see :func:`rn_model.backbones.weights.files.read_checkpoint`.
        heads: names of classifiers beside the features in the file, which are ignored.

    Raises:
        ValueError: if the file cannot be read, or if the weights do not fit. The message is one line.
    """
    fit = best_fit(_read(path), Wanted(model, ignored=heads), path)
    model.load_state_dict(fit.state, strict=False)


def load_classifier(
    model: nn.Module, path: Path, *, ignored: Iterable[str] = (), other_head: bool = True
) -> None:
    """Load the weights of a whole classifier, in place.

    Args:
        model: classifier.
        path: file of its weights.
        ignored: names of modules in the file that are left out.
        other_head: whether the last linear layer may keep its own weights if those in the file are
            missing or of another shape. A line is logged then.

    Raises:
        ValueError: see :func:`load_features`; or if the classifier does not fit and ``other_head`` is
            false.
    """
    found = _read(path)
    try:
        fit = best_fit(found, Wanted(model, ignored=ignored), path)
    except ValueError:
        fit = _fit_without_head(model, found, path, ignored)
        reason = _describe_head(model, found, path)
        if not other_head:
            raise ValueError(reason) from None
        _log.warning("%s; it was left out", reason)
    model.load_state_dict(fit.state, strict=False)


def _read(path: Path) -> list[Nested]:
    content = read_checkpoint(path)
    found = state_dicts(content)
    if not found:
        raise ValueError(f"{path} does not contain a state dict, but {seen_keys(content)}")
    return found


def _fit_without_head(
    model: nn.Module, found: Sequence[Nested], path: Path, ignored: Iterable[str]
) -> Fit:
    head = final_linear_name(model)
    names = {name for name in model.state_dict() if name.rpartition(".")[0] == head}
    return best_fit(found, Wanted(model, names, [*ignored, head]), path)


def _describe_head(model: nn.Module, found: Sequence[Nested], path: Path) -> str:
    """Why the last linear layer in a file is not the network's."""
    head, classes = final_linear_name(model), final_linear(model).out_features
    outputs = [
        value.shape[0]
        for nested in found
        for name, value in nested.state.items()
        if f".{name}".endswith(f".{head}.weight") and value.dim() == 2
    ]
    if not outputs:
        return f"{path} has no weights for the classifier {head}"
    if outputs[0] == classes:
        return f"the classifier {head} in {path} has another shape than the network's"
    return f"the classifier {head} in {path} is for {outputs[0]} classes, not {classes}"
