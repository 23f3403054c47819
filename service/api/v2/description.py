"""What the service says of itself and its models in the words of the protocol."""

from importlib.metadata import version
from typing import Any

from service.api.v2.inference import FILES, LABEL, PIXELS, PROBABILITIES, version_named
from service.ledger.records import Page
from service.lifespan import Resources
from service.models.model import Model
from service.models.status import ModelStatus
from service.targets.statistics import Statistics, VersionStatistics
from service.targets.target import OnlineTarget

# Only what works.
HTTP_EXTENSIONS = ("binary_tensor_data", "classification", "model_repository", "statistics")
GRPC_EXTENSIONS = ("classification", "model_repository", "statistics")
NAME = "reciprocal-norm"
PLATFORM = "onnxruntime_onnx"
LISTED = 1000


def describe_server(extensions: tuple[str, ...]) -> dict[str, Any]:
    """The metadata of the server."""
    return {"name": NAME, "version": version("reciprocal-norm"), "extensions": list(extensions)}


def describe_model(model: Model, wanted: str = "") -> dict[str, Any]:
    """The metadata of a model: its versions that can be run, its inputs, of which one is sent, and outputs.

    Reads the ledger.

    Raises:
        UnknownVersion: if it has no version of the number or label ``wanted``.
    """
    target, manifest = model.targets.default, model.bundle.manifest
    if wanted:
        versions = [str(_existing(target, wanted))]
    else:
        records = target.queries.versions(Page(LISTED))
        versions = [str(record.number) for record in records if record.kept]
    return {
        "name": model.name,
        "versions": versions,
        "platform": PLATFORM,
        "inputs": [
            {"name": PIXELS, "datatype": "UINT8", "shape": [-1, *manifest.preprocessing.shape]},
            {"name": FILES, "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [
            {"name": PROBABILITIES, "datatype": "FP32", "shape": [-1, len(manifest.classes)]},
            {"name": LABEL, "datatype": "BYTES", "shape": [-1]},
        ],
    }


def is_ready(resources: Resources, name: str, wanted: str = "") -> bool:
    """Whether a version of a model can be asked for predictions. Reads the ledger.

    Raises:
        UnknownModel: if no such model is loaded.
        UnknownVersion: if it has no such version.
    """
    model = resources.models.find(name)
    if wanted:
        target = model.targets.default
        return target.queries.version_record(_existing(target, wanted)).kept
    return not resources.draining


def describe_index(statuses: list[ModelStatus], *, ready: bool) -> list[dict[str, str]]:
    """The index of the repository."""
    states = {"ready": "READY", "loading": "LOADING", "unloading": "UNLOADING"}
    return [
        {
            "name": status.name,
            "version": "",
            "state": states.get(status.state, "UNAVAILABLE"),
            "reason": status.reason or ("" if status.state != "unloaded" else "unloaded"),
        }
        for status in statuses
        if status.state == "ready" or not ready
    ]


def describe_statistics(model: Model, wanted: str = "") -> list[dict[str, Any]]:
    """Statistics of each version of a model that answered a request, or of one version.

    Reads the ledger.

    Raises:
        UnknownVersion: if it has no such version.
    """
    target = model.targets.default
    statistics = target.statistics
    numbers = (
        [_existing(target, wanted)] if wanted else statistics.versions or [target.record.serving]
    )
    serving = target.record.serving
    return [
        _statistics(model.name, n, statistics.of_version(n), statistics if n == serving else None)
        for n in numbers
    ]


def _existing(target: OnlineTarget, wanted: str) -> int:
    number = version_named(target, wanted)
    return target.queries.version_record(target.record.serving if number is None else number).number


def _statistics(
    name: str, number: int, found: VersionStatistics, failures: Statistics | None
) -> dict[str, Any]:
    """Statistics of a version; requests that failed have none, and are counted with the served one."""
    count = found.requests
    failed = (0, 0.0) if failures is None else (failures.failures, failures.failed)
    return {
        "name": name,
        "version": str(number),
        "last_inference": found.last,
        "inference_count": found.images,
        "execution_count": found.runs,
        "inference_stats": {
            "success": _duration(count, found.total),
            "fail": _duration(*failed),
            "queue": _duration(count, found.queue),
            "compute_input": _duration(count, found.decode),
            "compute_infer": _duration(count, found.infer),
            "compute_output": _duration(0, 0.0),
            "cache_hit": _duration(0, 0.0),
            "cache_miss": _duration(0, 0.0),
        },
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": int(seconds * 1e9)}
