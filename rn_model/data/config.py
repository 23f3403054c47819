"""Where the images of a task are, and what of them is used."""

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
    """A random part of a set, drawn once without replacement.

    Attributes:
        count: images to keep.
        seed: of the choice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Count
    seed: Seed = 0


class DatasetConfig(BaseModel):
    """One set of images. Exactly one of ``path``, ``list`` and ``built_in`` says where it is.

    Paths may begin with ``~`` and contain environment variables; relative ones start from the
    configuration file.

    Attributes:
        name: for people; the path if not given.
        path: a folder with one folder a class, or without classes; or an ``.npz`` file.
        list: a text file with a line "path label" for every image, the label a number from 0 or one
            of ``classes``.
        root: folder that the paths in ``list`` start from; that of the list if not given.
        built_in: digits that come with the program: ``printed-digits`` are drawn from fonts,
            ``handwritten-digits`` are scikit-learn's.
        count, seed: of printed digits.
        images_key, labels_key, split_key: names of the arrays in an ``.npz`` file: images uint8
            ``(N, H, W)`` or ``(N, H, W, C)``; labels ``(N,)`` from 0; 0 for train and 1 for test
            ``(N,)``.
        split: part of an ``.npz`` file.
        classes: names of the labels 0, 1, ... of a list or an ``.npz`` file.
        only: classes whose images are used; all if not given.
        draw: a random part of what is left.
        labels: False hides the labels, and then folders below ``path`` mean nothing; None takes those
            that there are.
        unreadable: what to do with image files that cannot be read: ``error`` stops where one is
            met, ``skip`` tries all when the set is opened and leaves these out.
        cache: keep preprocessed images in memory; None does so unless they are files.
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
            raise ValueError("a dataset needs exactly one of path, list and built_in")
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
                raise ValueError(f"{key} {_PURPOSES.get(key, 'is for .npz files only')}")
        return self

    @property
    def title(self) -> str:
        """The name, or what stands for it."""
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
    "root": "is for a list only",
    "count": "is for printed-digits only",
    "seed": "is for printed-digits only",
    "classes": "names the labels of a list or an .npz file; for folders use only",
    "only": "needs labels, and labels: false hides them",
    "unreadable": "is for image files only",
}


def expand(path: str, base: Path) -> Path:
    """An absolute path from one with ``~``, environment variables or a relative one."""
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
    """A labelled source, or several, and an unlabeled target with the same classes.

    Attributes:
        source: labelled images to train on.
        target: images to adapt to. Labels, if there are any, are only reported under the name
            "oracle".
        test: labelled images of the target domain that are only reported on; None if there are none.
        validation: share of the source that is held out, or a labelled set of its own.
        seed: of the choice of what is held out.
        classes: names of the classes in their order; those of the source if not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Sources
    target: DatasetConfig
    test: DatasetConfig | None = None
    validation: Validation = 0.1
    seed: Seed = 0
    classes: Classes | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError("classes name one twice")
        for config, role in ((self.test, "test"), (self.validation, "validation")):
            if isinstance(config, DatasetConfig) and config.labels is False:
                raise ValueError(f"{role} needs labels")
        if any(config.labels is False for config in self.source):
            raise ValueError("source needs labels")
        return self

    def resolved(self, base: Path) -> "TaskConfig":
        """The same with absolute paths; ``base`` is the folder that relative ones start from."""
        validation = self.validation
        if isinstance(validation, DatasetConfig):
            validation = validation.resolved(base)
        return self.model_copy(
            update={
                "source": tuple(config.resolved(base) for config in self.source),
                "target": self.target.resolved(base),
                "test": self.test and self.test.resolved(base),
                "validation": validation,
            }
        )
