"""Names a network and the file of its pretrained weights."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

LIBRARIES = ("timm", "torchvision", "transformers")

# Earlier versions named built-in networks by where they were defined.
_FORMER_NAMES = {
    "rn_model.digits.network:DigitNet": "digits:digitnet",
    "rn_model.digits.lenet:LeNet": "digits:lenet",
}

# What the project decides itself, or what would make a library download something.
_REFUSED = {
    "num_classes": "the classes are those of the task",
    "in_chans": "the channels are those of the images",
    "num_channels": "the channels are those of the images",
    "pretrained": "give the local file as `weights` of the backbone",
    "weights": "give the local file as `weights` of the backbone",
    "checkpoint_path": "give the local file as `weights` of the backbone",
    "use_pretrained_backbone": "give the local file as `weights` of the backbone",
}


class BackboneConfig(BaseModel):
    """A network.

    Attributes:
        name: one of

            - ``timm:NAME`` or ``torchvision:NAME``: a model of that library;
            - ``transformers:FOLDER``: a local folder with ``config.json`` and perhaps its weights;
            - ``transformers:NAMEConfig``: a class of configurations of that library;
            - ``package.module:callable`` or ``path/to/file.py:callable``: your own. The module is
              imported, so name only code that you trust. If it takes ``num_classes`` it makes the whole
              classifier, which is used as it is. Otherwise a linear layer that makes its output is taken
              for its old classifier and dropped, and what remains are the features.
        arguments: keyword arguments for what makes the network.
        weights: local file of pretrained weights (``.safetensors``, or a state dict of PyTorch); None
            for those in ``FOLDER``, if there are any, otherwise for random ones.
        bottleneck: features D after a linear layer, BatchNorm and ReLU that are put before the
            classifier; None for none. Whole classifiers bring their own, so it does not concern them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    arguments: dict[str, JsonValue] = {}
    weights: Path | None = None
    bottleneck: Annotated[int, Field(ge=1)] | None = 256

    @field_validator("name")
    @classmethod
    def _rename(cls, name: str) -> str:
        return current_name(name)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.module and self.model):
            raise ValueError(
                f"{self.name!r} names no network: give timm:NAME, torchvision:NAME, "
                "transformers:FOLDER, transformers:NAMEConfig, package.module:callable or "
                "path/to/file.py:callable"
            )
        for key in self.arguments:
            if self.library is not None and key in _REFUSED:
                raise ValueError(f"{self.name} must not have the argument {key}: {_REFUSED[key]}")
        return self

    @property
    def library(self) -> str | None:
        """Of :data:`LIBRARIES`, the one that makes the network; None for your own."""
        first = self.name.partition(":")[0]
        return first if first in LIBRARIES else None

    @property
    def module(self) -> str:
        """The library, or the module or file of your own network."""
        return self.library or self.name.rpartition(":")[0]

    @property
    def model(self) -> str:
        """What makes the network there."""
        return self.name.partition(":")[2] if self.library else self.name.rpartition(":")[2]

    @property
    def weights_file(self) -> Path | None:
        """The file of pretrained weights; None if the network starts from random ones."""
        if self.weights is None and self.library == "transformers":
            names = ("model.safetensors", "pytorch_model.bin")
            for file in (*names, *(f"{name}.index.json" for name in names)):
                if (Path(self.model) / file).is_file():
                    return Path(self.model) / file
        return self.weights


def current_name(name: str) -> str:
    """The present name of a network that a file may call by an earlier one."""
    return _FORMER_NAMES.get(name, name)


def with_current_name(config: Any) -> Any:
    """A run's configuration as read from a file, with the present name of its network."""
    backbone = config.get("backbone") if isinstance(config, dict) else None
    if not isinstance(backbone, dict) or not isinstance(backbone.get("name"), str):
        return config
    return config | {"backbone": backbone | {"name": current_name(backbone["name"])}}
