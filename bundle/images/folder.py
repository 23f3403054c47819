"""The image files of a folder, found by the same rules everywhere."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bundle.images.formats import is_image_name, plugin_hint


@dataclass(frozen=True)
class FolderImages:
    """The images and other files found in a folder.

    Attributes:
        paths: sorted paths of the images, relative to the folder, with ``/`` between folders.
        passed_over: number of other files by suffix; hidden files are not counted.
    """

    paths: tuple[str, ...]
    passed_over: Counter[str] = field(default_factory=Counter)

    def describe_passed_over(self) -> Iterator[str]:
        """One line per kind of file that is not an image, or not one that can be read here."""
        for suffix, count in sorted(self.passed_over.items()):
            files = "1 file was" if count == 1 else f"{count} files were"
            kind = f"of kind {suffix}" if suffix else "without a suffix"
            hint = plugin_hint(suffix)
            yield f"{files} passed over, {kind}" + (f", which {hint}" if hint else "")


def find_images(folder: Path) -> FolderImages:
    """Find the images at any depth of a folder; hidden files and folders are ignored.

    Links are followed, but not in a circle.

    Raises:
        OSError: if a folder cannot be read.
    """
    found: list[str] = []
    passed_over: Counter[str] = Counter()
    # Real paths of each folder and its ancestors, so that symbolic links cannot form a cycle.
    ancestors: dict[str, tuple[str, ...]] = {os.fspath(folder): (os.path.realpath(folder),)}
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        lineage = ancestors.pop(place)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in list(folders):
            real = os.path.realpath(os.path.join(place, name))
            if any(os.path.commonpath([real, known]) == real for known in lineage):
                folders.remove(name)
            ancestors[os.path.join(place, name)] = (*lineage, real)
        below = Path(place).relative_to(folder)
        for name in names:
            if name.startswith("."):
                continue
            if is_image_name(name):
                found.append((below / name).as_posix())
            else:
                passed_over[os.path.splitext(name)[1].lower()] += 1
    return FolderImages(tuple(sorted(found)), passed_over)


def _raise(error: OSError) -> None:
    raise error
