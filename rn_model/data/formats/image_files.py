"""Image files: finding those in a folder, and reading one."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bundle.images.errors import ImageError
from bundle.images.folder import FolderImages, find_images
from bundle.preprocessing import Pixels, Preprocessing
from rn_model.data.errors import DataError, UnreadableImage
from rn_model.data.sets import Indices


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
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"image not found: {path}") from error
    except OSError as error:
        raise UnreadableImage(f"cannot read image {path}: {error.strerror}") from error
    try:
        return preprocessing.read(content)
    except ImageError as error:
        raise UnreadableImage(f"image {path} {error}") from error


def find_folder_images(folder: Path) -> FolderImages:
    """Find the images at any depth of a folder; hidden files and folders are ignored.

    Raises:
        DataError: if a folder cannot be read.
    """
    try:
        return find_images(folder)
    except OSError as error:
        raise DataError(f"cannot read folder {error.filename}: {error.strerror}") from error


def folder_names(folder: Path) -> list[str]:
    """Sorted names of the subfolders of a folder, without hidden ones."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read folder {folder}: {error.strerror}") from error
    return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _reason(pictures: FilePictures, preprocessing: Preprocessing, index: int) -> str | None:
    try:
        pictures.pixels(index, preprocessing)
    except DataError as error:
        return str(error)
    return None
