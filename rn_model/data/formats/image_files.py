"""Image files: finding those in a folder, and reading one."""

import hashlib
import os
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
# Pillow warns about larger images.
MAX_PIXELS = 89_000_000


@dataclass(frozen=True, eq=False)
class FilePictures:
    """Image files on disk.

    Attributes:
        root: folder that the paths are relative to.
        paths: paths of the files, with ``/`` between folders.
    """

    root: Path
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def pixels(self, index: int, preprocessing: Preprocessing) -> Pixels:
        """One image ``(H, W, C)``, preprocessed by the contract.

        Raises:
            DataError: if the file cannot be read; the message names it.
        """
        return read_image(self.root / self.paths[index], preprocessing)

    def describe(self, indices: Indices) -> "hashlib._Hash":
        """SHA-256 of the paths and sizes of the files."""
        digest = hashlib.sha256()
        for index in indices:
            path = self.paths[index]
            try:
                size = (self.root / path).stat().st_size
            except OSError as error:
                raise DataError(f"cannot read image {self.root / path}: {error}") from error
            digest.update(f"{size} {path}\0".encode(errors="surrogateescape"))
        return digest

    def unreadable(self, preprocessing: Preprocessing) -> dict[int, str]:
        """Try to read every file; return the reason by index for those that cannot be read."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            reasons = pool.map(partial(_reason, self, preprocessing), range(len(self)))
            return {index: reason for index, reason in enumerate(reasons) if reason is not None}


def read_image(path: Path, preprocessing: Preprocessing) -> Pixels:
    """Read the image in a file, ``(H, W, C)``, preprocessed by the contract.

    Raises:
        DataError: if the file is missing, broken, too large, or not an image; the message names it.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UnreadableImage(f"image {path} is too large: {width} x {height} pixels")
            return preprocessing.pixels(image)
    except (DataError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise DataError(f"image not found: {path}") from error
    except Exception as error:  # Pillow raises many unrelated types of errors
        reason = describe_error(error)
        raise UnreadableImage(f"cannot read image {path}: {reason}") from error


def is_image(path: str) -> bool:
    """Whether a file name has the suffix of a supported image format."""
    return os.path.splitext(path)[1].lower() in SUFFIXES


def image_paths(folder: Path) -> list[str]:
    """Sorted paths of the images at any depth of a folder; hidden files and folders are ignored."""
    found: list[str] = []
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
        found += [
            (below / name).as_posix()
            for name in names
            if is_image(name) and not name.startswith(".")
        ]
    return sorted(found)


def folder_names(folder: Path) -> list[str]:
    """Sorted names of the subfolders of a folder, without hidden ones."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read folder {folder}: {error.strerror}") from error
    return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _raise(error: OSError) -> None:
    raise DataError(f"cannot read folder {error.filename}: {error.strerror}") from error


def _reason(pictures: FilePictures, preprocessing: Preprocessing, index: int) -> str | None:
    try:
        pictures.pixels(index, preprocessing)
    except DataError as error:
        return str(error)
    return None
