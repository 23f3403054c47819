"""Commands that talk to a running service."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from rn.failing import fail
from service.client import Client, ClientError
from service.schemas import AdaptResult, TargetInfo

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}

Url = Annotated[str, typer.Option(envvar="RN_URL", help="The service.")]
TargetName = Annotated[str, typer.Option("--target", help="Name of the target.")]
# Half of what the service accepts by default.
MAX_REQUEST_BYTES = 16 * 2**20
UNPROCESSABLE = 422
LOCAL = "http://127.0.0.1:8000"

console = Console()


@contextmanager
def connect(url: str, target: str) -> Iterator[Client]:
    """A client; what the service refuses ends the program with one line."""
    try:
        with Client(url, target=target) as client:
            yield client
    except ClientError as error:
        fail(str(error))


def predict(
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    url: Url = LOCAL,
    target: TargetName = "default",
    version: Annotated[
        int | None, typer.Option(min=0, help="Version; default the served one.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Label image files."""
    with connect(url, target) as client:
        result = client.predict(images, version=version)
    if json:
        typer.echo(result.model_dump_json(indent=2))
        return
    table = Table("image", "label", "probability", "version")
    for image, prediction in zip(images, result.predictions, strict=True):
        row = (
            escape(str(image)),
            prediction.label,
            f"{prediction.probability:.3f}",
            str(result.version),
        )
        table.add_row(*row)
    console.print(table)


def submit(
    folder: Annotated[Path, typer.Argument(help="Folder of unlabeled images of the target.")],
    url: Url = LOCAL,
    target: TargetName = "default",
    batch_size: Annotated[int, typer.Option(min=1, help="Images a request.")] = 64,
) -> None:
    """Post a folder of unlabeled images, so that the service adapts to them.

    Interrupted, it can be run again: a batch that was counted already is not counted twice.
    """
    files = find_images(folder)
    if not files:
        fail(f"{folder} holds no image ({', '.join(sorted(SUFFIXES))})")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    results: list[AdaptResult] = []
    with connect(url, target) as client, Progress(*columns, console=console) as progress:
        task = progress.add_task("images", total=len(files))
        for batch in batched(files, batch_size):
            contents = [content for _, content in batch]
            try:
                result = client.adapt(contents, key=_key(contents))
            except ClientError as error:
                if error.status != UNPROCESSABLE:
                    raise
                progress.console.print(f"batch of {batch[0][0]}: {error}", markup=False)
                progress.update(task, advance=len(batch))
                continue
            for refusal in result.refused:
                line = f"{batch[refusal.index][0]}: not admitted: {refusal.reason}"
                progress.console.print(line, markup=False)
            if result.alarm:
                progress.console.print(f"batch refused: {result.alarm}")
            results.append(result)
            progress.update(task, advance=len(batch), description=f"version {result.serving}")
    if not results:
        fail(f"no image of {folder} was taken")
    _summarize(results)


def versions(url: Url = LOCAL, target: TargetName = "default") -> None:
    """List the versions of a target."""
    with connect(url, target) as client:
        show_versions(client.versions())


def rollback(
    version: Annotated[
        int | None, typer.Argument(min=0, help="Default: the parent of the served one.")
    ] = None,
    url: Url = LOCAL,
    target: TargetName = "default",
) -> None:
    """Serve an earlier version again."""
    with connect(url, target) as client:
        info = client.rollback(version)
    typer.echo(f"version {info.serving} is served")


def batched(files: Sequence[Path], size: int) -> Iterator[list[tuple[Path, bytes]]]:
    """Files and their contents in batches, none much larger than a server accepts by default."""
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
    """All image files below a folder, by their suffix, in order of their paths."""
    if not folder.is_dir():
        fail(f"{folder} is not a folder")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if path.is_file())


def show_versions(info: TargetInfo) -> None:
    """Print the versions of a target as a table."""
    table = Table("version", "parent", "status", "images", "information", "made", "")
    for version in info.versions:
        information = version.scores.get("information")
        table.add_row(
            str(version.number),
            "" if version.parent is None else str(version.parent),
            version.status,
            f"{version.count:.0f}",
            "" if information is None else f"{information:.3f}",
            version.created_at[:19],
            "served" if version.number == info.serving else escape(version.reason or ""),
        )
    console.print(table)
    frozen = "; adaptation is frozen" if info.frozen else ""
    typer.echo(f"{info.pending} images pending{frozen}")


def _key(contents: Sequence[bytes]) -> str:
    hashes = b"".join(hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(hashes).hexdigest()


def _summarize(results: Sequence[AdaptResult]) -> None:
    received = sum(result.received for result in results)
    admitted = sum(result.admitted for result in results)
    made = [result.committed for result in results if result.committed is not None]
    published = sum(version.status == "published" for version in made)
    typer.echo(
        f"{admitted} of {received} images admitted, {published} versions published,"
        f" {len(made) - published} rejected; version {results[-1].serving} is served,"
        f" {results[-1].pending} images pending"
    )
