"""Feature extractors from the library transformers."""

from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from bundle.text import describe_error
from rn_model.backbones.extractor import Extractor, import_library
from rn_model.backbones.input_channels import adapt_input

# Fields of a configuration that do not change the network, or that the library sets itself.
_DROPPED = {
    "_name_or_path",
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "model_type",
    "num_channels",
    "problem_type",
    "stage_names",
    "torch_dtype",
    "transformers_version",
}


class Pooled(nn.Module):
    """The pooled features of a model with several outputs, ``(N, C, H, W)`` to ``(N, F)``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        output = self.model(pixel_values=x)
        pooled: Tensor | None = getattr(output, "pooler_output", None)
        if pooled is None:
            last: Tensor = output.last_hidden_state
            return last.mean((2, 3)) if last.dim() == 4 else last.mean(1)
        return pooled.flatten(1)


class Logits(nn.Module):
    """The logits of a model with several outputs, ``(N, C, H, W)`` to ``(N, K)``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=x).logits
        return logits


def transformers_extractor(name: str, arguments: dict[str, Any], channels: int) -> Extractor:
    """Make a model of transformers with random weights and without a classifier.

    Args:
        name: local folder with ``config.json``, or name of a configuration class.
        arguments: fields of the configuration to set.
        channels: number of channels of the images.

    Raises:
        ValueError: if the library is missing, or there is no such folder, class or argument.
    """
    model = _create("AutoModel", name, arguments, channels)
    return Extractor(Pooled(model), ("classifier",), model)


def transformers_classifier(
    name: str, arguments: dict[str, Any], num_classes: int, channels: int
) -> Extractor:
    """Make a whole classifier of transformers with random weights.

    Args:
        name, arguments, channels: see :func:`transformers_extractor`.
        num_classes: number of classes.

    Raises:
        ValueError: see :func:`transformers_extractor`.
    """
    model = _create("AutoModelForImageClassification", name, arguments, channels, num_classes)
    return Extractor(Logits(model), pretrained=model)


def _create(
    kind: str, name: str, arguments: dict[str, Any], channels: int, num_classes: int | None = None
) -> Any:
    library = import_library("transformers")
    made = _configuration(library, name, arguments)
    if hasattr(made, "num_channels"):
        made.num_channels = channels
    if num_classes is not None:
        made.num_labels = num_classes
    try:
        model = getattr(library, kind).from_config(made, dtype=torch.float32)
        adapt_input(model, channels)
    except (ImportError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ValueError(f"transformers cannot make {name}: {describe_error(error)}") from error
    return model


def portable_name(name: str, arguments: dict[str, Any]) -> tuple[str, dict[str, JsonValue]]:
    """The configuration class and arguments that make the same network without a folder.

    Args:
        name, arguments: see :func:`transformers_extractor`.

    Raises:
        ValueError: see :func:`transformers_extractor`.
    """
    made = _configuration(import_library("transformers"), name, arguments)
    values = made.to_diff_dict()
    return type(made).__name__, {k: v for k, v in values.items() if k not in _DROPPED}


def _configuration(library: Any, name: str, arguments: dict[str, Any]) -> Any:
    folder = Path(name)
    if (folder / "config.json").is_file():
        # A folder may refer to code of its own, which is not run.
        load = library.AutoConfig.from_pretrained
        options = {"local_files_only": True, "trust_remote_code": False}
        try:
            made = load(folder, **options)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{folder / 'config.json'}: {describe_error(error)}") from error
    else:
        kind = getattr(library, name, None) if name.isidentifier() else None
        if not isinstance(kind, type) or not issubclass(kind, library.PreTrainedConfig):
            raise ValueError(
                f"transformers:{name} is neither a folder with config.json nor a configuration class, "
                "such as transformers:ResNetConfig"
            )
        if name.startswith("Timm"):
            raise ValueError(f"transformers:{name} wraps models of timm: use timm:NAME instead")
        made = kind()
    unknown = [key for key in arguments if not hasattr(made, key)]
    if unknown:
        raise ValueError(f"{type(made).__name__} has no argument {', '.join(unknown)}")
    try:
        return type(made).from_dict(made.to_diff_dict() | arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{type(made).__name__}: {describe_error(error)}") from error
