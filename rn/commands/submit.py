"""The command ``rn submit``."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rn.commands.remote import connect
from rn.failing import fail
from rn.options.common import LOCAL, TargetName, Url

if TYPE_CHECKING:
    from rich.progress import Progress

    from service.client import Client
    from service.schemas import AdaptResult

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
# Half of the service's default limit.
MAX_REQUEST_BYTES = 16 * 2**20
UNPROCESSABLE = 422


def submit(
    folder: Annotated[Path, typer.Argument(help="Folder of unlabeled images of the target.")],
    url: Url = LOCAL,
    target: TargetName = "default",
    batch_size: Annotated[int, typer.Option(min=1, help="Images per request.")] = 64,
) -> None:
    """Post unlabeled images for a running service to adapt to.

    Safe to re-run after an interruption: images are never counted twice.
    """
    files = find_images(folder)
    if not files:
        fail(f"{folder} contains no images ({', '.join(sorted(SUFFIXES))})")
    with connect(url, target) as client, _progress() as progress:
        task = progress.add_task("images", total=len(files))
        results = []
        for batch in batched(files, batch_size):
            result = _post(client, batch, progress)
            progress.update(task, advance=len(batch))
            if result is not None:
                results.append(result)
                progress.update(task, description=f"version {result.serving}")
    if not results:
        fail(f"none of the images of {folder} was accepted")
    _summarize(results)


def batched(files: Sequence[Path], size: int) -> Iterator[list[tuple[Path, bytes]]]:
    """Files and their contents, in batches that the service accepts by default.

    Args:
        files: image files.
        size: maximum number of files per batch; a batch is smaller if its contents are large.

    Raises:
        CommandError: if a file cannot be read.
    """
    batch: list[tuple[Path, bytes]] = []
    total = 0
    for path in files:
        try:
            content = path.read_bytes()
        except OSError as error:
            fail(f"cannot read {path}: {error.strerror}")
        if batch and (len(batch) == size or total + len(content) > MAX_REQUEST_BYTES):
            yield batch
            batch, total = [], 0
        batch.append((path, content))
        total += len(content)
    if batch:
        yield batch


def find_images(folder: Path) -> list[Path]:
    """All image files below a folder, recognized by their suffix, in order of their paths.

    Raises:
        CommandError: if the folder does not exist.
    """
    if not folder.is_dir():
        fail(f"{folder} is not a folder")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if path.is_file())


def _post(
    client: "Client", batch: Sequence[tuple[Path, bytes]], progress: "Progress"
) -> "AdaptResult | None":
    """The answer to one batch, with everything printed that was not admitted; None if it failed."""
    from service.client import ClientError

    contents = [content for _, content in batch]
    try:
        result = client.adapt(contents, key=_key(contents))
    except ClientError as error:
        if error.status != UNPROCESSABLE:
            raise
        progress.console.print(f"batch of {batch[0][0]}: {error}", markup=False)
        return None
    for refusal in result.refused:
        line = f"{batch[refusal.index][0]}: not admitted: {refusal.reason}"
        progress.console.print(line, markup=False)
    if result.alarm:
        progress.console.print(f"batch not admitted: {result.alarm}", markup=False)
    return result


def _progress() -> "Progress":
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    description, left = TextColumn("{task.description}"), TimeRemainingColumn()
    return Progress(description, BarColumn(), MofNCompleteColumn(), left)


def _key(contents: Sequence[bytes]) -> str:
    hashes = b"".join(hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(hashes).hexdigest()


def _summarize(results: "Sequence[AdaptResult]") -> None:
    received = sum(result.received for result in results)
    admitted = sum(result.admitted for result in results)
    made = [result.committed for result in results if result.committed is not None]
    published = sum(version.status == "published" for version in made)
    typer.echo(
        f"{admitted} of {received} images admitted, {published} versions published,"
        f" {len(made) - published} rejected; version {results[-1].serving} is served,"
        f" {results[-1].pending} images pending"
    )
