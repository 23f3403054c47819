"""Chooses, among the state dicts of a file, the one that fits a network, and the prefix of its names."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rn_model.backbones.input_channels import adapt_kernel, first_convolution
from rn_model.backbones.weights.nesting import Nested, State, some

# Wrappers of a module or of part of it: DataParallel and AveragedModel, torch.compile, FSDP, checkpointing.
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# Files of torchvision's DenseNets still use names from a time when names of submodules could have dots.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
# What AveragedModel counts beside the weights.
_COUNTER = "n_averaged"
# Averages of the weights over a training, which people save beside the last ones.
_AVERAGED = re.compile(r"(^|_)ema(_|$)")
_MAX_PREFIXES = 8


class Wanted:
    """The tensors that a network needs.

    Args:
        model: network.
        optional: names that a file may lack.
        ignored: modules whose names in a file are left out, such as classifiers that the network
            does not have.
    """

    def __init__(
        self, model: nn.Module, optional: Iterable[str] = (), ignored: Iterable[str] = ()
    ) -> None:
        self.shapes = {name: value.shape for name, value in model.state_dict().items()}
        self.first = f"{first_convolution(model)[0]}.weight"
        self.optional = frozenset(optional)
        self._ignored = tuple(f"{module}." for module in ignored)

    @property
    def required(self) -> list[str]:
        """Names that a file must have."""
        counts = ".num_batches_tracked"  # PyTorch before 0.4.1 did not have them
        return [name for name in self.shapes if name not in self.optional and counts not in name]

    def ignores(self, name: str) -> bool:
        """Whether a name in a file is left out."""
        return name.startswith(self._ignored) if self._ignored else False

    def fitting(self, name: str, value: Tensor) -> Tensor:
        """The tensor, for another number of channels if it is that of the first convolution."""
        if name != self.first or name not in self.shapes or len(self.shapes[name]) != value.dim():
            return value
        return adapt_kernel(value, self.shapes[name][1])


@dataclass(frozen=True)
class Fit:
    """The fit of a part of a file to a network.

    Attributes:
        path: keys that lead to the state dict.
        prefix: prefix of the network's names in it, ``""`` or ending with a dot.
        state: tensors under the prefix, by the network's names.
        missing, unexpected, misshapen: names that are missing, too many, or of another shape.
        count: number of tensors that fit.
        total: number of tensors that the network needs.
    """

    path: tuple[str, ...]
    prefix: str
    state: State
    missing: list[str]
    unexpected: list[str]
    misshapen: list[str]
    count: int
    total: int

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, unexpected or of another shape."""
        return not (self.missing or self.unexpected or self.misshapen)

    @property
    def averaged(self) -> bool:
        """Whether the file calls these weights an exponential moving average."""
        return any(_AVERAGED.search(part) for part in (*self.path, *self.prefix.split(".")))

    @property
    def place(self) -> str:
        """Location of the weights in the file, such as ``state_dict: model.``; empty for its top."""
        return ": ".join(part for part in (".".join(self.path), self.prefix) if part)

    def same(self, other: "Fit") -> bool:
        """Whether two fits have the same tensors."""
        return self.state.keys() == other.state.keys() and all(
            torch.equal(value, other.state[name]) for name, value in self.state.items()
        )


def best_fit(found: Sequence[Nested], wanted: Wanted, path: Path) -> Fit:
    """The state dict and prefix that fit a network; averages of the weights are preferred.

    Args:
        found: state dicts of the file.
        wanted: tensors that the network needs.
        path: file, for error messages.

    Raises:
        ValueError: if none fits, or several different ones fit. The message is one line.
    """
    fits = [fit for nested in found for fit in _fits(nested, wanted)]
    complete = [fit for fit in fits if fit.complete]
    chosen = [fit for fit in complete if fit.averaged] or complete
    if chosen:
        if all(fit.same(chosen[0]) for fit in chosen[1:]):
            return chosen[0]
        places = [fit.place or "the top of the file" for fit in chosen]
        raise ValueError(
            f"{path} holds several weights that fit the network: {some(places)}; save one of them alone"
        )
    names = [name for nested in found for name in nested.state]
    nearest = max(fits, key=lambda fit: (fit.count, -len(fit.missing)), default=None)
    if nearest is None or not (nearest.count or 2 * len(nearest.missing) < nearest.total):
        raise ValueError(
            f"{path} does not fit the network: it has {some(names)}; the network needs"
            f" {some(wanted.required)}"
        )
    raise ValueError(f"{path} does not fit the network: {_problems(nearest, wanted)}")


def _fits(nested: Nested, wanted: Wanted) -> list[Fit]:
    """The ways to fit a state dict to a network, one for every prefix that could be meant."""
    state = _plain_names(nested.state, wanted.shapes)
    prefixes: Counter[str] = Counter({"": 0})
    for name in state:
        parts = name.split(".")
        for start in range(len(parts)):
            if ".".join(parts[start:]) in wanted.shapes:
                prefixes[".".join(parts[:start])] += 1
    likely = [prefix for prefix, _ in prefixes.most_common(_MAX_PREFIXES)]
    return [_fit(nested.path, state, f"{prefix}." if prefix else "", wanted) for prefix in likely]


def _fit(path: tuple[str, ...], state: State, prefix: str, wanted: Wanted) -> Fit:
    shapes = wanted.shapes
    inside = {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
    inside = {n: wanted.fitting(n, v) for n, v in inside.items() if not wanted.ignores(n)}
    required = wanted.required
    misshapen = [n for n, v in inside.items() if n in shapes and v.shape != shapes[n]]
    missing = [name for name in required if name not in inside]
    return Fit(
        path=path,
        prefix=prefix,
        state=inside,
        missing=missing,
        unexpected=[name for name in inside if name not in shapes],
        misshapen=misshapen,
        count=len(required) - len(missing) - len(set(misshapen) & set(required)),
        total=len(required),
    )


def _plain_names(state: State, own: Mapping[str, object]) -> State:
    """A state dict without wrappers in its names, unless the network has modules of these names."""
    used = {part for name in own for part in name.split(".")}
    wrappers = {wrapper for wrapper in _WRAPPERS if wrapper not in used}
    counted = [n for n in state if n in own or n.rpartition(".")[2] != _COUNTER]
    plain = {}
    for name in counted:
        parts = [part for part in name.split(".") if part not in wrappers]
        plain[_OLD_DENSENET.sub(r"\1\2.", ".".join(parts))] = state[name]
    # Two names that became one are not wrappers of the same module.
    return plain if len(plain) == len(counted) else state


def _problems(fit: Fit, wanted: Wanted) -> str:
    shaped = [
        f"{name} {tuple(fit.state[name].shape)} instead of {tuple(wanted.shapes[name])}"
        for name in fit.misshapen
    ]
    place = f" at {fit.place}" if fit.place else ""
    listed = [
        f"{what} {some(names)}"
        for what, names in (
            ("missing", fit.missing),
            ("unexpected", fit.unexpected),
            ("wrong shape:", shaped),
        )
        if names
    ]
    return "; ".join([f"{fit.count} of {fit.total} tensors fit{place}", *listed])
