"""``rn submit``: posts unlabelled images for a running service to adapt to."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rn.commands.remote.connection import connect
from rn.commands.remote.sending import SOME_SKIPPED, Sending, find_in_folder
from rn.failing import fail
from rn.options.common import LOCAL, Key, TargetName, Url
from rn.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress

    from service.client import Client
    from service.schemas import AdaptResult

# Files of a request that are named for one reason; a change of the domain concerns them all.
NAMED = 3


def submit(
    folder: Annotated[Path, typer.Argument(help="Folder of unlabelled images of the target.")],
    url: Url = LOCAL,
    target: TargetName = "default",
    key: Key = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Maximum images per request.")] = 64,
) -> None:
    """Post unlabelled images for a running service to adapt to.

    A file that cannot be used is named and skipped. Exits with status 3 if some files were skipped, and
    with 1 if none could be used. Safe to re-run after an interruption: images are never counted twice.
    """
    files, passed_over = find_in_folder(folder)
    failed: Exception | None = None
    with connect(url, target, key, persistent=True) as client, progress_bar() as progress:
        from service.client import ClientError

        submission = Submission(lambda line: _print(progress, line), batch_size)
        for line in passed_over:
            submission.report(line)
        task = progress.add_task("images", total=len(files))
        try:
            for result in submission.send(client, files):
                progress.update(task, description=f"version {result.serving}")
                progress.update(task, completed=submission.done)
        except ClientError as error:
            failed = error
        progress.update(task, completed=submission.done)
    if not submission.results:
        fail(str(failed or f"none of the images of {folder} could be used"))
    for line in submission.summarize():
        typer.echo(line)
    if failed is not None:
        fail(f"{failed}; the same command continues after image {submission.done} of {len(files)}")
    if submission.sending.skipped:
        raise typer.Exit(SOME_SKIPPED)


@dataclass
class Submission:
    """Posts the images of a folder, and summarizes the outcome.

    Attributes:
        report: function that receives one line per image that was not admitted.
        batch_size: maximum number of images per request.
        results: answers of the service.
        not_admitted: number of readable images that did not move the statistics.
    """

    report: "Callable[[str], None]"
    batch_size: int = 64
    results: "list[AdaptResult]" = field(default_factory=list)
    not_admitted: int = 0

    def __post_init__(self) -> None:
        self.sending = Sending(self.report, self.batch_size)
        self._answered = 0

    @property
    def done(self) -> int:
        """Number of files that were sent or skipped."""
        return self._answered + len(self.sending.skipped)

    def send(self, client: "Client", files: Sequence[Path]) -> "Iterator[AdaptResult]":
        """Post files in batches; the key of a batch lets the service recognize it if it is sent again.

        Raises:
            ClientError: if the service cannot be reached, or does not adapt.
        """

        def post(contents: Sequence[bytes]) -> "AdaptResult":
            return client.adapt(contents, key=_key(contents))

        for paths, result in self.sending.send(files, post):
            self._answered += len(paths)
            self.results.append(result)
            reasons: dict[str, list[Path]] = {}
            for image in result.refused:
                if image.kind == "unreadable":
                    self._answered -= 1
                    self.sending.skip(paths[image.index], image.reason)
                else:
                    reasons.setdefault(image.reason, []).append(paths[image.index])
            for reason, concerned in reasons.items():
                self._report_not_admitted(reason, concerned)
            if result.alarm:
                self.report(f"alarm: {result.alarm}")
            yield result

    def _report_not_admitted(self, reason: str, concerned: Sequence[Path]) -> None:
        """Name the first of the files of a request that were not admitted for the same reason."""
        self.not_admitted += len(concerned)
        for path in concerned[:NAMED]:
            self.report(f"{path}: not admitted: {reason}")
        if len(concerned) > NAMED:
            self.report(
                f"{len(concerned) - NAMED} more of the same request: not admitted: {reason}"
            )

    def summarize(self) -> Iterator[str]:
        """Lines with the numbers of images sent, admitted, held and skipped, and of versions made."""
        last = self.results[-1]
        admitted = sum(result.admitted for result in self.results)
        made = [result.committed for result in self.results if result.committed is not None]
        counts = Counter(version.status for version in made)
        yield from self.sending.summarize()
        yield (
            f"{self._answered} images sent: {admitted} admitted, {self.not_admitted} not admitted;"
            f" {last.held} held"
        )
        yield (
            f"versions: {counts['published']} published, {counts['proposed']} proposed,"
            f" {counts['rejected']} rejected; version {last.serving} is served, {last.pending} images"
            " pending"
        )


def _print(progress: "Progress", line: str) -> None:
    from bundle.text import printable

    progress.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _key(contents: Sequence[bytes]) -> str:
    hashes = b"".join(hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(hashes).hexdigest()
