"""The configuration of a backbone: its name, arguments and pretrained weights."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

LIBRARIES = ("timm", "torchvision", "transformers")

# Earlier versions named built-in networks by the module that defined them.
_FORMER_NAMES = {
    "rn_model.digits.network:DigitNet": "digits:digitnet",
    "rn_model.digits.lenet:LeNet": "digits:lenet",
}

# Arguments that this project sets itself, or that would make a library download something.
_RESERVED = {
    "num_classes": "the classes are those of the task",
    "in_chans": "the channels are those of the images",
    "num_channels": "the channels are those of the images",
    "pretrained": "set `weights` of the backbone to a local file",
    "weights": "set `weights` of the backbone to a local file",
    "checkpoint_path": "set `weights` of the backbone to a local file",
    "use_pretrained_backbone": "set `weights` of the backbone to a local file",
}


class BackboneConfig(BaseModel):
    """A network to adapt.

    Attributes:
        name: one of

            - ``timm:NAME`` or ``torchvision:NAME``: a model of that library;
            - ``transformers:FOLDER``: a local folder with ``config.json`` and optionally weights;
            - ``transformers:NAMEConfig``: a configuration class of that library;
            - ``digits:digitnet`` or ``digits:lenet``: a built-in network for small images;
            - ``package.module:callable`` or ``path/to/file.py:callable``: your own network. The module
              is imported, so only name code that you trust. If the callable has an argument
              ``num_classes``, it returns a whole classifier, which is used unchanged. Otherwise, if the
              network's output comes from a linear layer, that layer is removed as the old classifier,
              and the rest are the features.
        arguments: keyword arguments of the function or class that makes the network.
        weights: local file of pretrained weights, however they were saved; see
            :mod:`rn_model.backbones.weights`. None uses the weights in ``FOLDER`` if it has any, and
            random weights otherwise.
        bottleneck: number of features D after a linear layer, BatchNorm and ReLU that are inserted
            before the classifier; None to insert nothing. It has no effect on whole classifiers.
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
                f"{self.name!r} is not the name of a network: use timm:NAME, torchvision:NAME, "
                "transformers:FOLDER, transformers:NAMEConfig, digits:NAME, "
                "package.module:callable or path/to/file.py:callable"
            )
        for key in self.arguments:
            if self.library is not None and key in _RESERVED:
                raise ValueError(f"argument {key} is not allowed for {self.name}: {_RESERVED[key]}")
        return self

    @property
    def library(self) -> str | None:
        """The library that makes the network, from :data:`LIBRARIES`; None for other networks."""
        first = self.name.partition(":")[0]
        return first if first in LIBRARIES else None

    @property
    def module(self) -> str:
        """The part of the name before the colon: a library, a module or a file."""
        return self.library or self.name.rpartition(":")[0]

    @property
    def model(self) -> str:
        """The part of the name after the colon, which identifies the network there."""
        return self.name.partition(":")[2] if self.library else self.name.rpartition(":")[2]

    @property
    def weights_file(self) -> Path | None:
        """The file of pretrained weights; None if the network starts from random weights."""
        if self.weights is None and self.library == "transformers":
            names = ("model.safetensors", "pytorch_model.bin")
            for file in (*names, *(f"{name}.index.json" for name in names)):
                if (Path(self.model) / file).is_file():
                    return Path(self.model) / file
        return self.weights

    def within(self, base: Path) -> Self:
        """The same backbone with its relative paths starting from a folder.

        Paths are those of ``weights``, of a network's own ``.py`` file and of a transformers folder.
        """
        name = self.name
        folder = self.library == "transformers" and (base / self.model).is_dir()
        if folder:
            name = f"transformers:{base / self.model}"
        elif self.library is None and self.module.endswith(".py"):
            name = f"{base / Path(self.module).expanduser()}:{self.model}"
        weights = self.weights and base / self.weights
        return self.model_copy(update={"name": name, "weights": weights})


def current_name(name: str) -> str:
    """The current name of a network, given its current or a former name."""
    return _FORMER_NAMES.get(name, name)


def with_current_name(config: Any) -> Any:
    """Replace a former name of the network in a run's configuration, as read from a file."""
    backbone = config.get("backbone") if isinstance(config, dict) else None
    if not isinstance(backbone, dict) or not isinstance(backbone.get("name"), str):
        return config
    return config | {"backbone": backbone | {"name": current_name(backbone["name"])}}
