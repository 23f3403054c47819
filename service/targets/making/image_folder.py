"""Images of a target on disk, each a file of its own, encrypted if there is a key."""

import io
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import numpy as np
from cryptography.fernet import Fernet, InvalidToken

from bundle.preprocessing import Pixels

SUFFIX = ".image"
# The number says in which order they came.
NAME = re.compile(rf"(?P<domain>\d+)-(?P<number>\d+)-[0-9a-f]+{re.escape(SUFFIX)}")

logger = logging.getLogger(__name__)


class Stored(NamedTuple):
    """An image that was found on disk."""

    domain: int
    path: Path
    image: Pixels


class ImageFolder:
    """The images of one target; what cannot be read or written is logged, and is done without.

    Args:
        folder: its folder, made when it is needed first; one process at a time may use it.
        key: a Fernet key (AES-128-CBC with HMAC-SHA256), url-safe base64; None to write images as they
            are.
    """

    def __init__(self, folder: Path, key: bytes | None = None) -> None:
        self._folder = folder
        self._fernet = None if key is None else Fernet(key)
        self._next = 0
        self._failing = False

    def load(self) -> Iterator[Stored]:
        """The images, oldest first; files that cannot be read are removed."""
        found = [(name, path) for path in self._files() if (name := NAME.fullmatch(path.name))]
        for name, path in sorted(found, key=lambda pair: int(pair[0]["number"])):
            self._next = max(self._next, int(name["number"]) + 1)
            try:
                yield Stored(int(name["domain"]), path, self._read(path.read_bytes()))
            except (OSError, ValueError, EOFError, InvalidToken) as error:
                reason = str(error) or "damaged, or written with another key"
                logger.warning("%s cannot be read and is removed: %s", path, reason)
                self.remove(path)

    def add(self, domain: int, image: Pixels) -> Path | None:
        """Write an image; None if it could not be written."""
        path = self._folder / f"{domain}-{self._next}-{uuid4().hex[:8]}{SUFFIX}"
        whole = path.with_suffix(".part")
        self._next += 1
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._content(image))
            whole.replace(path)
        except OSError as error:
            with suppress(OSError):
                whole.unlink()
            if not self._failing:
                logger.warning("images are kept in memory only: %s", error)
            self._failing = True
            return None
        self._failing = False
        return path

    def remove(self, path: Path) -> None:
        """Remove an image."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s", error)

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except OSError:
            return []

    def _content(self, image: Pixels) -> bytes:
        content = io.BytesIO()
        np.save(content, image, allow_pickle=False)
        plain = content.getvalue()
        return plain if self._fernet is None else self._fernet.encrypt(plain)

    def _read(self, content: bytes) -> Pixels:
        plain = content if self._fernet is None else self._fernet.decrypt(content)
        image: Pixels = np.load(io.BytesIO(plain), allow_pickle=False)
        if image.dtype != np.uint8 or image.ndim != 3:
            raise ValueError("it is no image")
        return image
