"""Reads classes and preprocessing as people write them: by name, by number, or in a file."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from bundle.preprocessing import Preprocessing
from bundle.text import single_line
from export.errors import ExportError

IMAGENET = Preprocessing(
    mode="RGB",
    height=224,
    width=224,
    shorter_side=256,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
"""How images of ImageNet are usually prepared: 256 pixels on the shorter side, 224x224 from the centre."""


def read_classes(text: str) -> tuple[str, ...]:
    """The labels of a classifier, in the order of its outputs.

    Args:
        text: file with one label per line, labels separated by commas, or their number, which gives the
            labels ``0``, ``1`` and so on.

    Raises:
        ExportError: if there is no such file, it is not text, or a label is empty or given twice.

    Example:
        >>> read_classes("cat, dog"), read_classes("3")
        (('cat', 'dog'), ('0', '1', '2'))
    """
    path = Path(text)
    if path.is_file():
        try:
            labels = path.read_text(encoding="utf-8-sig").strip("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ExportError(f"{path} is not a text file with one label per line") from error
    elif "," in text:
        labels = text.split(",")
    elif text.strip().isdecimal():
        return tuple(str(number) for number in range(int(text)))
    else:
        raise ExportError(
            f"there is no file {text}: give a file with one label per line, labels separated by commas, or"
            " their number"
        )
    return _checked([label.strip() for label in labels], text)


def read_preprocessing(text: str) -> Preprocessing:
    """A preprocessing contract.

    Args:
        text: ``imagenet``, a YAML or JSON file with the fields of
            :class:`bundle.preprocessing.Preprocessing`, or these fields themselves, in braces.

    Raises:
        ExportError: if there is no such file, or it is not a contract. The message is one line.

    Example:
        >>> read_preprocessing("{mode: L, height: 28, width: 28, mean: [0.13], std: [0.31]}").shape
        (28, 28, 1)
    """
    if text == "imagenet":
        return IMAGENET
    path, where = Path(text), "preprocessing"
    if not text.lstrip().startswith("{"):
        if not path.is_file():
            raise ExportError(
                f"there is no file {text}: give imagenet, a YAML or JSON file, or fields in braces"
            )
        where = str(path)
    try:
        values = yaml.safe_load(text if where == "preprocessing" else path.read_bytes())
        return Preprocessing.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ExportError(f"{where}: {f'{field}: ' if field else ''}{first['msg']}") from error
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ExportError(f"{where}: {single_line(str(error))}") from error


def describe_preprocessing(preprocessing: Preprocessing) -> str:
    """A preprocessing contract in a few words.

    Example:
        >>> describe_preprocessing(IMAGENET)
        'RGB, shorter side 256, centre 224x224, bilinear'
    """
    size = f"{preprocessing.height}x{preprocessing.width}"
    if preprocessing.shorter_side is None:
        steps = f"stretched to {size}"
    else:
        steps = f"shorter side {preprocessing.shorter_side}, centre {size}"
    described = f"{preprocessing.mode}, {steps}, {preprocessing.interpolation}"
    return described if preprocessing.decoding == "full" else f"{described}, scaled decoding"


def _checked(labels: Sequence[str], text: str) -> tuple[str, ...]:
    if "" in labels:
        raise ExportError(f"{text}: label {labels.index('') + 1} is empty")
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ExportError(f"{text}: the label {twice} is given twice")
    return tuple(labels)
