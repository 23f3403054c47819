"""Remarks on the folders of a task: legitimate as they are, but seldom meant."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from rn_model.data.config import TaskConfig, expand
from rn_model.data.errors import DataError
from rn_model.data.formats.image_files import folder_names


def folder_notes(config: TaskConfig, classes: Sequence[str], base: Path) -> Iterator[str]:
    """One line per remark.

    Args:
        config: the task.
        classes: names of its classes.
        base: folder that relative paths start from.
    """
    for names in similar_names(classes):
        yield f"the classes {' and '.join(names)} are different classes: rename them if they are one"
    unused = _unused_test(config, classes, base)
    if unused is not None:
        yield (
            f"{unused} is not used: set task.test.path (in the recipes for your own folders: --target"
            " tested) to report accuracy on it"
        )


def similar_names(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of names that differ only in case, white space, hyphens, underscores or Unicode form.

    Example:
        >>> similar_names(["Dog", "cat", "dog"])
        [('Dog', 'dog')]
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        plain = unicodedata.normalize("NFKC", name).casefold()
        groups.setdefault(re.sub(r"[\s_-]+", " ", plain).strip(), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _unused_test(config: TaskConfig, classes: Sequence[str], base: Path) -> Path | None:
    """The folder ``test`` beside the target, if it has folders of the task's classes and is not used."""
    if config.test is not None or config.target.path is None:
        return None
    folder = expand(config.target.path, base).parent / "test"
    used = [*config.source, config.target, config.validation]
    paths = [getattr(dataset, "path", None) for dataset in used]
    if folder in [expand(path, base) for path in paths if path is not None]:
        return None
    try:
        return folder if folder.is_dir() and set(folder_names(folder)) & set(classes) else None
    except DataError:
        return None
