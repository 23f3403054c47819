"""``rn predict``: labels image files with a running service."""

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from rn.commands.remote.connection import connect
from rn.commands.remote.sending import SOME_SKIPPED, Sending, find_files
from rn.failing import CommandError, fail
from rn.options.common import LOCAL, AsJson, Key, TargetName, Url

if TYPE_CHECKING:
    from service.client import Client
    from service.schemas import ImagePrediction, PredictResult


class Predicted(NamedTuple):
    """A file, its prediction, and the version that made it."""

    path: Path
    prediction: "ImagePrediction"
    result: "PredictResult"


def predict(
    images: Annotated[list[Path], typer.Argument(help="Image files, and folders of images.")],
    url: Url = LOCAL,
    target: TargetName = "default",
    key: Key = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="Version to predict with. Default: the served one.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Maximum images per request.")] = 64,
    top_k: Annotated[
        str, typer.Option(help="Number of classes that --json lists, the most probable, or all.")
    ] = "5",
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Label image files with a running service.

    A file that cannot be used is named and skipped. Exits with status 3 if some files were skipped, and
    with 1 if none could be labelled.
    """
    if as_json and as_csv:
        fail("--json and --csv exclude each other")
    listed = _parse_top_k(top_k)
    files, passed_over = find_files(images)
    for line in passed_over:
        _report(line)
    if not files:
        fail(f"{', '.join(map(str, images))} contains no images")
    sending = Sending(_report, batch_size)
    predicted: list[Predicted] = []
    failed: CommandError | None = None
    try:
        with connect(url, target, key, persistent=True) as client:
            _predict(client, files, version, listed, sending, predicted)
    except CommandError as error:
        failed = error
    if predicted:
        if as_json:
            _print_json(predicted, sending)
        elif as_csv:
            _print_csv(predicted)
        else:
            _print_table(predicted)
    if failed is not None:
        raise failed
    if not predicted:
        fail(f"none of {len(files)} files could be labelled")
    if sending.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _predict(
    client: "Client",
    files: list[Path],
    version: int | None,
    top_k: int | Literal["all"],
    sending: Sending,
    predicted: list[Predicted],
) -> None:
    """Predict files with one version, and append what the service answers."""

    def post(contents: "list[bytes]") -> "PredictResult":
        served = predicted[0].result.version if predicted else version
        return client.predict(contents, version=served, top_k=top_k)

    for paths, result in sending.send(files, post):  # type: ignore[arg-type]
        for path, prediction in zip(paths, result.predictions, strict=True):
            predicted.append(Predicted(path, prediction, result))


def _parse_top_k(text: str) -> int | Literal["all"]:
    if text == "all":
        return "all"
    if not (text.isdecimal() and int(text) >= 1):
        fail(f"--top-k must be a number, 1 or more, or all, not {text!r}")
    return int(text)


def _print_json(predicted: list[Predicted], sending: Sending) -> None:
    first = predicted[0].result
    answer = {
        **first.model_dump(mode="json", exclude={"predictions"}),
        "predictions": [
            {"file": str(row.path), **row.prediction.model_dump(mode="json")} for row in predicted
        ],
        "skipped": [
            {"file": str(path), "reason": reason} for path, reason in sending.skipped.items()
        ],
    }
    typer.echo(json.dumps(answer, indent=2))


def _print_csv(predicted: list[Predicted]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("file", "label", "probability", "version"))
    for path, prediction, result in predicted:
        writer.writerow((path, prediction.label, f"{prediction.probability:.6g}", result.version))


def _print_table(predicted: list[Predicted]) -> None:
    from rn.terminal import Column, show_table

    columns = (
        Column("image", folds=True),
        Column("label", folds=True),
        Column("probability", right=True),
        Column("version", right=True, optional=True),
    )
    show_table(
        columns,
        (
            (str(path), prediction.label, f"{prediction.probability:.3f}", str(result.version))
            for path, prediction, result in predicted
        ),
    )


def _report(line: str) -> None:
    from bundle.text import printable

    typer.echo(f"rn predict: {printable(line)}", err=True)
