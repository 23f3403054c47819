"""Configuration of a task: where its images are, and which of them are used."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

BuiltIn = Literal["printed-digits", "handwritten-digits"]

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Classes = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class Draw(BaseModel):
    """A random subset, drawn once without replacement.

    Attributes:
        count: number of images to keep.
        seed: random seed of the draw.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Count
    seed: Seed = 0


class DatasetConfig(BaseModel):
    """One data set, located by exactly one of ``path``, ``list`` and ``built_in``.

    Paths may begin with ``~`` and contain environment variables; relative paths start from the folder
    of the configuration file.

    Attributes:
        name: display name. Default: the path.
        path: folder with one subfolder per class, folder of unlabelled images, or ``.npz`` file.
        list: text file with a line ``path label`` per image; the label is a number counted from 0, or
            one of ``classes``.
        root: folder that the paths in ``list`` start from. Default: the folder of the list.
        built_in: built-in digits: ``printed-digits`` are rendered from fonts, ``handwritten-digits`` are
            scikit-learn's.
        count: number of printed digits.
        seed: random seed of printed digits.
        images_key: name of the images in an ``.npz`` file: uint8, ``(N, H, W)`` or ``(N, H, W, C)``.
        labels_key: name of the labels in an ``.npz`` file: ``(N,)``, counted from 0.
        split_key: name of the split in an ``.npz`` file: ``(N,)``, 0 for train and 1 for test.
        split: the split of an ``.npz`` file to use. Default: both.
        classes: names of the labels 0, 1, ... of a list or an ``.npz`` file.
        only: classes whose images are used. Default: all.
        draw: a random subset of the remaining images.
        labels: False ignores labels, and with them the folders below ``path``; True requires labels;
            None uses labels if there are any.
        unreadable: how to handle image files that cannot be read: ``error`` stops at the first one;
            ``skip`` tries all files when the data set is opened, and excludes these.
        cache: whether preprocessed images are kept in memory; None keeps them unless they are files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    path: str | None = None
    list: str | None = None
    root: str | None = None
    built_in: BuiltIn | None = None
    count: Count | None = None
    seed: Seed | None = None
    images_key: str = "images"
    labels_key: str = "labels"
    split_key: str = "split"
    split: Literal["train", "test"] | None = None
    classes: Classes | None = None
    only: Classes | None = None
    draw: Draw | None = None
    labels: bool | None = None
    unreadable: Literal["error", "skip"] = "error"
    cache: bool | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(place is not None for place in (self.path, self.list, self.built_in)) != 1:
            raise ValueError("a data set needs exactly one of path, list and built_in")
        array = self.path is not None and self.path.lower().endswith(".npz")
        allowed = {
            "root": self.list is not None,
            "count": self.built_in == "printed-digits",
            "seed": self.built_in == "printed-digits",
            "classes": array or self.list is not None,
            "only": self.labels is not False,
            **dict.fromkeys(("images_key", "labels_key", "split_key", "split"), array),
            "unreadable": not array and self.built_in is None,
        }
        given = self.model_fields_set - {key for key, ok in allowed.items() if ok}
        for key in sorted(given & allowed.keys()):
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} {_PURPOSES.get(key, 'is only valid for .npz files')}")
        return self

    @property
    def title(self) -> str:
        """The name, or else the location."""
        return self.name or self.path or self.list or self.built_in or ""

    def resolved(self, base: Path) -> "DatasetConfig":
        """The same with absolute paths.

        Args:
            base: folder that relative paths start from.
        """
        places = {"path": self.path, "list": self.list, "root": self.root}
        changed = {k: str(expand(v, base)) for k, v in places.items() if v is not None}
        return self.model_copy(update={**changed, "name": self.title})


_PURPOSES = {
    "root": "is only valid with list",
    "count": "is only valid with printed-digits",
    "seed": "is only valid with printed-digits",
    "classes": "names the labels of a list or an .npz file; for folders, use 'only'",
    "only": "needs labels, but labels: false ignores them",
    "unreadable": "is only valid for image files",
}


def expand(path: str, base: Path) -> Path:
    """Make a path absolute; expand ``~`` and environment variables."""
    return Path(os.path.abspath(base / Path(os.path.expandvars(path)).expanduser()))


def _as_sequence(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _kind_of_validation(value: Any) -> str:
    return "dataset" if isinstance(value, dict | DatasetConfig) else "share"


Validation = Annotated[
    Annotated[float, Field(gt=0, lt=1), Tag("share")] | Annotated[DatasetConfig, Tag("dataset")],
    Discriminator(_kind_of_validation),
]
Sources = Annotated[tuple[DatasetConfig, ...], BeforeValidator(_as_sequence), Field(min_length=1)]


class TaskConfig(BaseModel):
    """One or more labelled sources, and an unlabelled target with the same classes.

    Attributes:
        source: labelled images to train on.
        target: images to adapt to. Labels, if any, are only used to report accuracies named "oracle".
        test: labelled images of the target domain, only used to report accuracy. Default: none.
        probe: a few labelled images of the target domain, by which the checkpoint is selected instead of
            by label-free scores; never used for training. Default: none.
        validation: share of the source to hold out, or a separate labelled data set.
        seed: random seed of the held-out share.
        classes: names of the classes, in order. Default: the classes of the source.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Sources
    target: DatasetConfig
    test: DatasetConfig | None = None
    probe: DatasetConfig | None = None
    validation: Validation = 0.1
    seed: Seed = 0
    classes: Classes | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError("classes must be distinct")
        for config, role in (
            (self.test, "test"),
            (self.probe, "probe"),
            (self.validation, "validation"),
        ):
            if isinstance(config, DatasetConfig) and config.labels is False:
                raise ValueError(f"{role} needs labels")
        if any(config.labels is False for config in self.source):
            raise ValueError("source needs labels")
        return self

    def resolved(self, base: Path) -> "TaskConfig":
        """The same with absolute paths; relative paths start from the folder ``base``."""
        validation = self.validation
        if isinstance(validation, DatasetConfig):
            validation = validation.resolved(base)
        return self.model_copy(
            update={
                "source": tuple(config.resolved(base) for config in self.source),
                "target": self.target.resolved(base),
                "test": self.test and self.test.resolved(base),
                "probe": self.probe and self.probe.resolved(base),
                "validation": validation,
            }
        )
