"""A BatchNorm that a conversion has replaced, and that must not run any more."""

from typing import Any

from torch import nn


class RetiredBatchNorm(nn.Module):
    """The remains of a BatchNorm that another layer has replaced: every use of it raises.

    A network may keep its BatchNorm a second time where a conversion cannot replace it: in a list, a
    dict, a closure or a :func:`functools.partial`. Without the error, its forward pass would go on
    with the old layer, and the new one would never run.
    """

    replaced: str

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(self._message())

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError as error:
            if name.startswith("__") or "replaced" not in vars(self):
                raise
            raise AttributeError(f"{self._message()} (it reads {name})") from error

    def _message(self) -> str:
        return (
            f"BatchNorm {self.replaced!r} was replaced, but the network still uses the old layer: from a"
            " list, a dict, a closure or a functools.partial. Use it as an attribute of its module"
            " (self.NAME), or from an nn.ModuleList or nn.ModuleDict"
        )


def retire(batch_norm: nn.Module, name: str) -> None:
    """Make every further use of a replaced BatchNorm raise an error that names it.

    Its weight and bias remain readable: they are the same objects in the new layer.

    Args:
        batch_norm: the old layer.
        name: its name in the network.
    """
    batch_norm.__class__ = RetiredBatchNorm
    batch_norm._buffers.clear()
    vars(batch_norm)["replaced"] = name
