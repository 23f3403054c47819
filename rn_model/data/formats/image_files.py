"""Image files: which there are in a folder, and how one is read."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from bundle.preprocessing import Pixels, Preprocessing
from bundle.text import describe_error
from rn_model.data.errors import DataError, UnreadableImage
from rn_model.data.sets import Indices

SUFFIXES = frozenset(
    (
        ".bmp",
        ".gif",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    )
)
# Pillow warns of images that are larger.
MAX_PIXELS = 89_000_000


@dataclass(frozen=True, eq=False)
class FilePictures:
    """Image files.

    Attributes:
        root: the folder that paths start from.
        paths: of the files, with ``/`` between folders.
    """

    root: Path
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def pixels(self, index: int, preprocessing: Preprocessing) -> Pixels:
        """One image ``(H, W, C)`` by the contract.

        Raises:
            DataError: naming the file if it cannot be read.
        """
        return read_image(self.root / self.paths[index], preprocessing)

    def describe(self, indices: Indices) -> "hashlib._Hash":
        """A SHA-256 of the files' paths and sizes."""
        digest = hashlib.sha256()
        for index in indices:
            path = self.paths[index]
            try:
                size = (self.root / path).stat().st_size
            except OSError as error:
                raise DataError(f"cannot read the image {self.root / path}: {error}") from error
            digest.update(f"{size} {path}\0".encode(errors="surrogateescape"))
        return digest

    def unreadable(self, preprocessing: Preprocessing) -> dict[int, str]:
        """Try all files: number of each that cannot be read, and why."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            reasons = pool.map(partial(_reason, self, preprocessing), range(len(self)))
            return {index: reason for index, reason in enumerate(reasons) if reason is not None}


def read_image(path: Path, preprocessing: Preprocessing) -> Pixels:
    """The image in a file, ``(H, W, C)`` by the contract.

    Raises:
        DataError: naming the file if it is missing, broken, too large, or not an image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UnreadableImage(
                    f"the image {path} has {width} x {height} pixels: that is too large"
                )
            return preprocessing.pixels(image)
    except (DataError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise DataError(f"there is no image {path}") from error
    except Exception as error:  # Pillow raises many unrelated types
        reason = describe_error(error)
        raise UnreadableImage(f"cannot read the image {path}: {reason}") from error


def is_image(path: str) -> bool:
    """Whether a file's name is that of an image."""
    return os.path.splitext(path)[1].lower() in SUFFIXES


def image_paths(folder: Path) -> list[str]:
    """Images at any depth of a folder, sorted; hidden files and folders are left out."""
    found: list[str] = []
    # Of every folder, itself and those that lead to it: links must not lead round for ever.
    above: dict[str, tuple[str, ...]] = {os.fspath(folder): (os.path.realpath(folder),)}
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_refuse):
        way = above.pop(place)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in list(folders):
            real = os.path.realpath(os.path.join(place, name))
            if any(os.path.commonpath([real, known]) == real for known in way):
                folders.remove(name)
            above[os.path.join(place, name)] = (*way, real)
        below = Path(place).relative_to(folder)
        found += [
            (below / name).as_posix()
            for name in names
            if is_image(name) and not name.startswith(".")
        ]
    return sorted(found)


def folder_names(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted, without hidden ones."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror}") from error
    return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def shown(names: Sequence[str], most: int = 5) -> str:
    """Some of a number of names, for a message."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _refuse(error: OSError) -> None:
    raise DataError(f"cannot read the folder {error.filename}: {error.strerror}") from error


def _reason(pictures: FilePictures, preprocessing: Preprocessing, index: int) -> str | None:
    try:
        pictures.pixels(index, preprocessing)
    except DataError as error:
        return str(error)
    return None
