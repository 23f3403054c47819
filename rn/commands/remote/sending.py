"""Sends image files in batches; a file that the service cannot use does not fail the others."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from rn.failing import fail

if TYPE_CHECKING:
    from service.client import ClientError

# Exit status of a command that could use some of the files, but not all of them.
SOME_SKIPPED = 3
# No service needs to accept so much, and a file is in memory as a whole while it is sent.
MAX_FILE_BYTES = 2**28
# Statuses of answers about the content of a request. All others are about the service or the target,
# and would be the same for every other file.
_ABOUT_CONTENT = frozenset((400, 413, 415, 422, 500))
_POSITION = re.compile(r"^image \d+ ")

Answer = TypeVar("Answer")


class ImageFile(NamedTuple):
    """An image file and its content."""

    path: Path
    content: bytes


@dataclass
class Sending:
    """Sends files, and keeps track of those that were skipped.

    Attributes:
        report: function that receives one line per skipped file.
        batch_size: maximum number of files per request.
        skipped: reason by skipped file.
    """

    report: Callable[[str], None]
    batch_size: int = 64
    skipped: dict[Path, str] = field(default_factory=dict)

    def send(
        self, paths: Sequence[Path], post: Callable[[Sequence[bytes]], Answer]
    ) -> Iterator[tuple[list[Path], Answer]]:
        """Send files in order; a batch whose content fails is sent in halves, down to single files.

        Args:
            paths: image files.
            post: function that sends the contents of some files in one request.

        Yields:
            Files of a request, and its answer.

        Raises:
            ClientError: if a request fails for a reason that does not lie in its files.
        """
        from service.client.batches import batched

        for batch in batched(
            self._read(paths), lambda file: len(file.content), max_images=self.batch_size
        ):
            yield from self._post(batch, post)

    def skip(self, path: Path, reason: str) -> None:
        """Record and report a file that cannot be used."""
        reason = _POSITION.sub("", reason)
        self.skipped[path] = reason
        self.report(f"{path}: skipped: {reason}")

    def summarize(self) -> Iterator[str]:
        """One line per kind of reason, with the number of files that were skipped for it."""
        kinds: dict[str, list[str]] = {}
        for reason in self.skipped.values():
            kinds.setdefault(_kind(reason), []).append(reason)
        for kind, reasons in sorted(kinds.items(), key=lambda item: -len(item[1])):
            text = kind if len(set(reasons)) > 1 else reasons[0]
            count = len(reasons)
            yield f"skipped {count} {'file' if count == 1 else 'files'}: {text}"

    def _read(self, paths: Sequence[Path]) -> Iterator[ImageFile]:
        for path in paths:
            try:
                size = path.stat().st_size
                content = path.read_bytes() if size <= MAX_FILE_BYTES else None
            except OSError as error:
                self.skip(path, f"cannot be read: {error.strerror}")
                continue
            if content is None:
                self.skip(path, f"has {size:,} bytes; at most {MAX_FILE_BYTES:,} are sent")
            else:
                yield ImageFile(path, content)

    def _post(
        self, batch: Sequence[ImageFile], post: Callable[[Sequence[bytes]], Answer]
    ) -> Iterator[tuple[list[Path], Answer]]:
        from service.client import ClientError

        try:
            answer = post([file.content for file in batch])
        except ClientError as error:
            if error.status not in _ABOUT_CONTENT:
                raise
            if len(batch) == 1 or _already_used(error):
                for file in batch:
                    self.skip(file.path, str(error))
                return
        else:
            yield [file.path for file in batch], answer
            return
        middle = len(batch) // 2
        yield from self._post(batch[:middle], post)
        yield from self._post(batch[middle:], post)


def find_files(given: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Image files among files and folders.

    Args:
        given: files, which are used whatever their name is, and folders, in which images are found by the
            rules that training follows.

    Returns:
        The files in order, and one line per kind of file that was passed over.

    Raises:
        CommandError: if a folder cannot be read.
    """
    from bundle.images.folder import find_images

    files: list[Path] = []
    lines: list[str] = []
    for path in given:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            found = find_images(path)
        except OSError as error:
            fail(f"cannot read folder {error.filename}: {error.strerror}")
        files += [path / name for name in found.paths]
        lines += [f"{path}: {line}" for line in found.describe_passed_over()]
    return files, lines


def find_in_folder(folder: Path) -> tuple[list[Path], list[str]]:
    """Image files of a folder, at least one; see :func:`find_files`.

    Raises:
        CommandError: if it is no folder, cannot be read, or contains no images.
    """
    if not folder.is_dir():
        fail(f"{folder} is not a folder")
    files, passed_over = find_files([folder])
    if not files:
        from bundle.images.formats import supported_suffixes

        suffixes = sorted(s for suffixes in supported_suffixes().values() for s in suffixes)
        fail("; ".join([f"{folder} contains no images ({', '.join(suffixes)})", *passed_over]))
    return files, passed_over


def _already_used(error: "ClientError") -> bool:
    # Sent again in other batches, under other keys, the images would count twice.
    return error.kind == "key-reused"


def _kind(reason: str) -> str:
    """A reason without the parts that concern one file only."""
    return re.sub(r"\d[\d,.]*", "...", re.split(r"[:;] ", reason, maxsplit=1)[0])
