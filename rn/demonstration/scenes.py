"""The scenes of the demonstration, each a few requests to a running service."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rn.demonstration.images import (
    LabelledFiles,
    grey_camera,
    held_out,
    noise,
    same_camera,
    unlabelled,
)
from service.client import Client
from service.schemas import AdaptResult

HELD_OUT = 400
JUNK = 64


@dataclass(frozen=True)
class Step:
    """What was seen after one request or two.

    Attributes:
        scene: title of the scene that the step belongs to.
        text: what was done, and what the service said of it.
        version: version that is served.
        accuracy: share of the held-out images that it labels rightly.
    """

    scene: str
    text: str
    version: int
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def play(client: Client, images: int, batch_size: int) -> Iterator[Step]:
    """Run all scenes.

    Args:
        client: client of a service that has adapted to nothing yet, and publishes what it makes.
        images: number of unlabelled images of the new camera.
        batch_size: images per request.

    Raises:
        ClientError: if a request fails.
    """
    before, after = held_out(HELD_OUT, same_camera), held_out(HELD_OUT, grey_camera)
    first = _measure(client, before)
    yield first("The model as it was exported", f"{HELD_OUT} handwritten digits")
    yield _measure(client, after)("The camera changes", "a third of the contrast, on grey")
    yield from _adapt(client, after, images, batch_size)
    for number in (1, 2):
        junk = noise(number * JUNK)[-JUNK:]
        result = client.adapt(junk)
        yield _measure(client, after)("Junk arrives", f"{JUNK} images of noise: {_said(result)}")
    yield from _go_back(client, before, first)


def _adapt(client: Client, scene: LabelledFiles, images: int, batch_size: int) -> Iterator[Step]:
    files = unlabelled(images, grey_camera)
    for start in range(0, images, batch_size):
        result = client.adapt(files[start : start + batch_size])
        posted = min(start + batch_size, images)
        text = f"{posted:>4} posted: {_said(result)}"
        yield _measure(client, scene)("Unlabelled images of the new camera are posted", text)


def _go_back(client: Client, scene: LabelledFiles, first: "_Measured") -> Iterator[Step]:
    client.rollback(0)
    again = _measure(client, scene)
    same = again.probabilities == first.probabilities
    text = "version 0 again: " + (
        "every probability is what it was" if same else "the probabilities DIFFER"
    )
    yield again("The old camera is back, and the operator rolls back", text)


@dataclass(frozen=True)
class _Measured:
    """What a version says about the held-out images; called, it is a step."""

    version: int
    accuracy: float
    probabilities: list[dict[str, float]]

    def __call__(self, scene: str, text: str) -> Step:
        return Step(scene, text, self.version, self.accuracy)


def _measure(client: Client, scene: LabelledFiles) -> _Measured:
    result = client.predict(scene.files, top_k="all")
    right = sum(
        prediction.label == label
        for prediction, label in zip(result.predictions, scene.labels, strict=True)
    )
    probabilities = [prediction.probabilities for prediction in result.predictions]
    return _Measured(result.version, right / len(scene.labels), probabilities)


def _said(result: AdaptResult) -> str:
    """What the service answered, in words."""
    parts = [f"{result.admitted} admitted"]
    if result.refused:
        parts.append(f"{len(result.refused)} not")
    if result.alarm:
        parts.append(f"ALARM: {result.alarm}")
    made = result.committed
    if made is not None:
        parts.append(
            f"version {made.number} {made.status}" + (f": {made.reason}" if made.reason else "")
        )
    return ", ".join(parts)
