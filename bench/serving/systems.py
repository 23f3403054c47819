"""The systems that are compared: how each is started, and what its requests look like."""

import base64
import json
import os
import struct
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.serving.service import free_port
from bench.serving.setup import PEERS, environment
from rn.load.payload import NPY
from rn.load.sending.request import Payload

# Numbers and probabilities of the most probable classes, by the number of the class.
Top = dict[int, float]


@dataclass(frozen=True)
class Place:
    """Where a system runs for one measurement.

    Attributes:
        model: folder of the network.
        work: work folder of the bench.
        folder: folder for files of this measurement.
        port: port to listen on.
        workers: number of workers; the number of processors.
    """

    model: Path
    work: Path
    folder: Path
    port: int
    workers: int


@dataclass(frozen=True)
class System:
    """One way to serve a network.

    Attributes:
        name: name in the tables.
        command: command line that starts it.
        path: path that takes predictions.
        payload: the request for an image file or an ``.npy`` file.
        parse: the most probable classes in an answer.
        environment: further variables of its environment.
        peer: name of its environment; None for this project's own.
    """

    name: str
    command: Callable[[Place], Sequence[str]]
    path: str
    payload: Callable[[Payload], Payload]
    parse: Callable[[bytes], Top]
    environment: Callable[[Place], dict[str, str]] = lambda _: {}
    peer: str | None = None


def variables(system: System, place: Place) -> dict[str, str]:
    """The whole environment of a system's processes."""
    return {
        **os.environ,
        "BENCH_MODEL": str(place.model),
        "PYTHONPATH": str(PEERS) if system.peer else os.environ.get("PYTHONPATH", ""),
        "OMP_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        **system.environment(place),
    }


def _python(place: Place, peer: str) -> str:
    return str(environment(place.work, peer) / "bin" / "python")


def _script(peer: str, file: str) -> Callable[[Place], Sequence[str]]:
    def command(place: Place) -> Sequence[str]:
        numbers = ["--port", str(place.port), "--workers", str(place.workers)]
        return [_python(place, peer), str(PEERS / file), *numbers]

    return command


def _uvicorn(workers: int | None) -> Callable[[Place], Sequence[str]]:
    def command(place: Place) -> Sequence[str]:
        return [
            *(_python(place, "fastapi"), "-m", "uvicorn", "fastapi_app:app"),
            *("--port", str(place.port), "--workers", str(workers or place.workers)),
            *("--log-level", "warning", "--no-access-log"),
        ]

    return command


def _ours(place: Place) -> Sequence[str]:
    options = ["--host", "127.0.0.1", "--port", str(place.port)]
    return [sys.executable, "-m", "rn", "serve", str(place.model / "bundle"), *options]


def _our_environment(place: Place) -> dict[str, str]:
    # Threads are the service's own business.
    count = os.environ.get("OMP_NUM_THREADS", "")
    return {"RN_LEDGER": f"sqlite:///{place.folder / 'ledger.sqlite'}", "OMP_NUM_THREADS": count}


def _triton(place: Place) -> Sequence[str]:
    command = _script("triton", "triton_server.py")(place)
    return [*command, "--ports", str(free_port()), str(free_port())]


def _triton_environment(_: Place) -> dict[str, str]:
    # Triton's own processes load the library of the interpreter that made the environment.
    folders = (sysconfig.get_config_var("LIBDIR"), os.environ.get("LD_LIBRARY_PATH"))
    return {"LD_LIBRARY_PATH": ":".join(filter(None, folders))}


def _mlserver(place: Place) -> Sequence[str]:
    settings = {
        "host": "127.0.0.1",
        "http_port": place.port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": place.workers,
        "debug": False,
        "use_structured_logging": False,
        "environments_dir": str(place.folder / "environments"),
    }
    model = {"name": "model", "implementation": "mlserver_runtime.Runtime"}
    (place.folder / "settings.json").write_text(json.dumps(settings))
    (place.folder / "model-settings.json").write_text(json.dumps(model))
    program = "from mlserver.cli import main; main()"
    return [_python(place, "mlserver"), "-c", program, "start", str(place.folder)]


def _bentoml(place: Place) -> Sequence[str]:
    return [
        *(_python(place, "bentoml"), "-m", "bentoml", "serve", "bentoml_service:Predictor"),
        *("--host", "127.0.0.1", "--port", str(place.port), "--working-dir", str(PEERS)),
    ]


def _bentoml_environment(place: Place) -> dict[str, str]:
    home = str(place.folder / "bentoml")
    return {
        "BENCH_WORKERS": str(place.workers),
        "BENTOML_HOME": home,
        "BENTOML_DO_NOT_TRACK": "True",
    }


def _ray_environment(_: Place) -> dict[str, str]:
    return {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def _same(payload: Payload) -> Payload:
    return payload


def _json_base64(payload: Payload) -> Payload:
    content = {"image": base64.b64encode(payload.body).decode()}
    return Payload(json.dumps(content).encode(), "application/json", payload.images)


def _multipart(payload: Payload) -> Payload:
    boundary = "----bench"
    suffix = "npy" if payload.content_type == NPY else "jpg"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="image.{suffix}"\r\n'
        f"Content-Type: {payload.content_type}\r\n\r\n"
    )
    body = head.encode() + payload.body + f"\r\n--{boundary}--\r\n".encode()
    return Payload(body, f"multipart/form-data; boundary={boundary}", payload.images)


def _v2_json(payload: Payload) -> Payload:
    text = base64.b64encode(payload.body).decode()
    tensor = {"name": "content", "shape": [1], "datatype": "BYTES", "data": [text]}
    return Payload(json.dumps({"inputs": [tensor]}).encode(), "application/json", payload.images)


def _v2_binary(payload: Payload) -> Payload:
    content = struct.pack("<I", len(payload.body)) + payload.body
    tensor = {
        "name": "content",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(content)},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    return Payload(
        head + content,
        "application/octet-stream",
        payload.images,
        {"Inference-Header-Content-Length": str(len(head))},
    )


def _parse_ours(body: bytes) -> Top:
    prediction = json.loads(body)["predictions"][0]
    probabilities: dict[str, float] = prediction["probabilities"]
    # Classes are named by their numbers.
    found = {int(name.removeprefix("class ")): value for name, value in probabilities.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1])[:5])


def _parse_plain(body: bytes) -> Top:
    answer = json.loads(body)
    return dict(zip(answer["classes"], answer["probabilities"], strict=True))


def _parse_v2(body: bytes) -> Top:
    outputs = {output["name"]: output["data"] for output in json.loads(body)["outputs"]}
    return dict(zip(outputs["classes"], outputs["probabilities"], strict=True))


_V2 = "/v2/models/model/infer"

SYSTEMS = {
    system.name: system
    for system in (
        System("ours", _ours, "/predict", _same, _parse_ours, _our_environment),
        System("fastapi", _uvicorn(None), "/predict", _same, _parse_plain, peer="fastapi"),
        System("fastapi1", _uvicorn(1), "/predict", _same, _parse_plain, peer="fastapi"),
        System("mlserver", _mlserver, _V2, _v2_json, _parse_v2, peer="mlserver"),
        System(
            "triton",
            _triton,
            _V2,
            _v2_binary,
            _parse_v2,
            _triton_environment,
            peer="triton",
        ),
        System(
            "litserve",
            _script("litserve", "litserve_server.py"),
            "/predict",
            _json_base64,
            _parse_plain,
            peer="litserve",
        ),
        System(
            "rayserve",
            _script("rayserve", "rayserve_app.py"),
            "/predict",
            _same,
            _parse_plain,
            _ray_environment,
            peer="rayserve",
        ),
        System(
            "bentoml",
            _bentoml,
            "/predict",
            _multipart,
            _parse_plain,
            _bentoml_environment,
            peer="bentoml",
        ),
    )
}
