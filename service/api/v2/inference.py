"""Predicts what a request of the protocol asks for, by the same queue as every other request."""

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from service.api.uploads import Upload
from service.api.v2.messages import InferAnswer, InferRequest, WantedOutput
from service.api.v2.tensors import BYTES, Tensor
from service.api.version_names import parse_version
from service.errors import InvalidContent, MalformedRequest, TooLarge, UnknownVersion
from service.inference.engine import Place
from service.inference.jobs import Work
from service.inference.prediction import Prediction
from service.inference.ranking import most_probable
from service.lifespan import Resources
from service.models.model import Model
from service.security.authentication import Caller
from service.targets.labels import find_session
from service.targets.target import OnlineTarget
from service.vocabulary import DEFAULT_TARGET

PIXELS, FILES = "image", "image_file"
PROBABILITIES, LABEL = "probabilities", "label"
OUTPUTS = (PROBABILITIES, LABEL)

Wait = Callable[[Future[Prediction]], Awaitable[Prediction]]


async def infer(
    resources: Resources,
    model: Model,
    version: str,
    request: InferRequest,
    place: Place,
    caller: Caller,
    wait: Wait,
) -> InferAnswer:
    """Predict.

    Args:
        resources: resources of the application.
        model: the model.
        version: number or label of the version; empty for the served one.
        request: what is asked for.
        place: place of the request in the queue.
        caller: who sent the request; its images are counted.
        wait: waits for a reply as long as the client does.

    Raises:
        ServiceError: if it cannot be answered.
    """
    target = find_target(model, request)
    statistics = target.statistics
    try:
        wanted = _wanted_outputs(request)
        upload = read_inputs(request.inputs, model.bundle, resources.settings.max_images)
        caller.charge_images(len(upload))
        session = await find_session(target, version_named(target, version))
        limit, preprocessing = resources.settings.max_pixels, model.bundle.manifest.preprocessing

        def decode(start: int, stop: int) -> Pixels:
            return upload.decode_part(start, stop, preprocessing, limit)

        number = None if session is None else session.version
        work = Work(target.served, number, len(upload), decode, session, target.after_run)
        prediction = await wait(place.submit(work))
    except Exception:
        statistics.count_failure(place.seconds)
        raise
    statistics.count_success(prediction, place.seconds)
    count_labels(resources, model, target.name, prediction)
    outputs = [(_output(one, model.bundle, prediction), one.binary) for one in wanted]
    return InferAnswer(model.name, str(prediction.version), request.id, target.name, outputs)


def find_target(model: Model, request: InferRequest) -> OnlineTarget:
    """The target that the parameter ``target`` of a request names.

    Raises:
        UnknownTarget: if there is no such target.
    """
    return model.targets.find(str(request.parameters.get("target", DEFAULT_TARGET)))


def version_named(target: OnlineTarget, version: str) -> int | None:
    """The number of the version that a text names; None for the served one.

    Raises:
        UnknownVersion: if it is neither a number nor a label.
    """
    if not version:
        return None
    try:
        found = parse_version(version)
    except ValueError as error:
        raise UnknownVersion(f"there is no version {version!r}; {error}") from error
    if isinstance(found, int):
        return found
    record = target.record
    number = record.serving if found == "serving" else record.shadow
    if number is None:
        raise UnknownVersion(f"no version of target {target.name!r} has the label {version!r}")
    return number


def read_inputs(inputs: Sequence[Tensor], bundle: Bundle, max_images: int) -> Upload:
    """The images of a request, which are either pixels or files.

    Raises:
        MalformedRequest: if there is not exactly one input, or no image.
        InvalidContent: if it is not as the metadata of the model say.
        TooLarge: if there are more images than allowed.
    """
    if len(inputs) != 1:
        raise MalformedRequest(f"send one input, {PIXELS!r} or {FILES!r}; got {len(inputs)}")
    tensor = inputs[0]
    shape = bundle.manifest.preprocessing.shape
    if tensor.name == PIXELS and tensor.datatype == "UINT8":
        if tensor.shape[1:] != shape or len(tensor.shape) != 4:
            raise InvalidContent(
                f"input {PIXELS!r} has shape {list(tensor.shape)}; expected {[-1, *shape]}"
            )
        upload = Upload([], tensor.array)
    elif tensor.name == FILES and tensor.datatype == BYTES:
        if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ((), (1,)):
            raise InvalidContent(
                f"input {FILES!r} has shape {list(tensor.shape)}; expected [-1] or [-1, 1]"
            )
        upload = Upload(list(tensor.elements))
    else:
        raise InvalidContent(
            f"there is no input {tensor.name!r} of type {tensor.datatype}; send {PIXELS!r} of type UINT8 or"
            f" {FILES!r} of type BYTES"
        )
    if not len(upload):
        raise MalformedRequest("the request holds no image")
    if len(upload) > max_images:
        raise TooLarge(f"the request holds {len(upload)} images; at most {max_images} are accepted")
    return upload


def count_labels(resources: Resources, model: Model, target: str, prediction: Prediction) -> None:
    """Count the predicted classes in the metrics."""
    classes = model.bundle.manifest.classes
    for index in prediction.probabilities.argmax(axis=1).tolist():
        resources.metrics.predictions.inc(model.name, target, classes[index])


def _wanted_outputs(request: InferRequest) -> Sequence[WantedOutput]:
    for output in request.outputs:
        if output.name not in OUTPUTS:
            raise InvalidContent(
                f"there is no output {output.name!r}; there are {' and '.join(map(repr, OUTPUTS))}"
            )
        if output.classes < 0 or (output.classes and output.name != PROBABILITIES):
            raise InvalidContent(
                f"'classification' is a number of classes, for the output {PROBABILITIES!r}"
            )
    return request.outputs or [WantedOutput(name, binary=request.binary) for name in OUTPUTS]


def _output(wanted: WantedOutput, bundle: Bundle, prediction: Prediction) -> Tensor:
    probabilities, classes = prediction.probabilities, bundle.manifest.classes
    if wanted.name == LABEL:
        labels = [classes[index].encode() for index in probabilities.argmax(axis=1).tolist()]
        return Tensor(LABEL, BYTES, (len(labels),), elements=labels)
    if wanted.classes:
        return _classification(probabilities, classes, min(wanted.classes, len(classes)))
    values = probabilities.astype("<f4")
    return Tensor(PROBABILITIES, "FP32", values.shape, values)


def _classification(
    probabilities: NDArray[np.float64], classes: Sequence[str], count: int
) -> Tensor:
    """The most probable classes of each image, as ``value:index:label``."""
    elements = [
        f"{row[index]:.6f}:{index}:{classes[index]}".encode()
        for row, best in zip(
            probabilities, most_probable(probabilities, count).tolist(), strict=True
        )
        for index in best
    ]
    return Tensor(PROBABILITIES, BYTES, (len(probabilities), count), elements=elements)
