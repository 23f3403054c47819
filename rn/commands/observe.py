"""``rn observe``: moments of images that stay where they are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rn.commands.remote.sending import SOME_SKIPPED, find_in_folder
from rn.failing import one_line

if TYPE_CHECKING:
    from bundle.loaded import Bundle
    from service.adaptation.archive import Archive


def observe(
    folder: Annotated[Path, typer.Argument(help="Folder of unlabelled images of the target.")],
    bundle: Annotated[Path, typer.Option(help="Directory of the bundle that is served.")],
    out: Annotated[Path, typer.Option(help="File to write, for `rn submit-moments`.")],
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes. Default: one for each processor."),
    ] = None,
) -> None:
    """Compute moments of images that stay where they are.

    For a first adaptation to a large archive, and for sites whose images must not leave: the file holds
    moments of all images, eleven numbers of each of 64, and no pixels. The images are read in parallel,
    each once; the file does not depend on the number of processes. Exits with status 3 if some files were
    skipped.
    """
    from bundle.errors import BundleError
    from bundle.reading.loading import load_bundle
    from bundle.writing.atomic import write_file
    from rn.observing.pool import PoolError
    from service.adaptation.archive import ArchiveError

    files, passed_over = find_in_folder(folder)
    for line in passed_over:
        typer.echo(line, err=True)
    names = [path.relative_to(folder).as_posix() for path in files]
    with one_line(BundleError, ArchiveError, PoolError):
        archive, skipped = _observe(folder, names, bundle, load_bundle(bundle), workers)
    with one_line(OSError):
        write_file(out, archive.to_bytes())
    typer.echo(f"{archive.images} images observed, {skipped} skipped; moments are in {out}")
    if skipped:
        raise typer.Exit(SOME_SKIPPED)


def _observe(
    folder: Path, names: "list[str]", path: Path, bundle: "Bundle", workers: int | None
) -> "tuple[Archive, int]":
    """Moments of the images, and the number of files that could not be used."""
    from bundle.text import printable
    from rn.commands.serve import load_settings
    from rn.observing.pool import observe_folder
    from rn.progress import progress_bar
    from service.adaptation.archive import ArchiveBuilder
    from service.settings import available_processors

    settings = load_settings({"bundle": path})
    builder, skipped = ArchiveBuilder(bundle), 0
    with progress_bar() as progress:
        task = progress.add_task("images", total=len(names))
        for part in observe_folder(
            folder, names, path, settings, workers or available_processors()
        ):
            progress.update(task, advance=part.files)
            for line in part.skipped:
                typer.echo(printable(line), err=True)
            skipped += len(part.skipped)
            if part.outcome is not None:
                builder.add(part.outcome)
    return builder.build(), skipped
