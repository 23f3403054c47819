"""Requests and answers of the protocol, however they travel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.api.v2.tensors import Tensor


@dataclass(frozen=True)
class WantedOutput:
    """An output that a client wants.

    Attributes:
        name: name of the output.
        classes: number of classes to list instead of the tensor; 0 for the tensor.
        binary: whether it is wanted as bytes.
    """

    name: str
    classes: int = 0
    binary: bool = False


@dataclass(frozen=True)
class InferRequest:
    """A request to predict.

    Attributes:
        id: repeated in the answer; empty if there is none.
        inputs: the inputs.
        outputs: the outputs that are wanted; empty for all.
        parameters: parameters of the request.
        binary: whether outputs that are not named are wanted as bytes.
    """

    inputs: Sequence[Tensor]
    id: str = ""
    outputs: Sequence[WantedOutput] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    binary: bool = False


@dataclass(frozen=True)
class InferAnswer:
    """A prediction.

    Attributes:
        model: name of the model.
        version: number of the version that predicted.
        id: that of the request.
        target: name of the target.
        outputs: the outputs, each with whether it is wanted as bytes.
    """

    model: str
    version: str
    id: str
    target: str
    outputs: Sequence[tuple[Tensor, bool]]
