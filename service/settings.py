"""Settings of the service, each from an environment variable with the prefix ``RN_``."""

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from cryptography.fernet import Fernet
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bundle.images.decoding import MAX_PIXELS
from service.vocabulary import Device, EngineKind, LogFormat, LogLevel, Mode, Precision

PositiveInt = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]

NO_FERNET_KEY = "RN_RESERVOIR_KEY is no Fernet key: 32 random bytes in url-safe base64"
NO_BUNDLE = "no bundle given: give it as an argument, or set RN_BUNDLE or RN_MODELS"


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], NoDecode, BeforeValidator(_split)
]


class Settings(BaseSettings):
    """Settings of the service, read from ``RN_BUNDLE``, ``RN_PORT`` and so on."""

    model_config = SettingsConfigDict(
        env_prefix="RN_", populate_by_name=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    bundle: Path | None = Field(
        None,
        description="Directory of the bundle to serve, the default model; unset: the first of RN_MODELS by"
        " name.",
    )
    models: Path | None = Field(
        None,
        description="Directory with more models, each a bundle in a folder that has the name of the model;"
        " they can be loaded and unloaded while the service runs.",
    )
    max_models: PositiveInt = Field(8, description="Maximum number of loaded models.")
    max_targets: PositiveInt = Field(
        100,
        description="Maximum number of targets of a model, streams with statistics of their own.",
    )
    loaded_targets: PositiveInt = Field(
        8,
        description="Maximum number of targets in memory besides the default one; the others are in the"
        " ledger, and are loaded when they are needed.",
    )
    ledger: str = Field(
        "sqlite:///var/ledger.sqlite",
        description="Database URL of the ledger of versions, as SQLAlchemy takes it.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port to listen on.")
    root_path: Annotated[str, Field(pattern=r"^(/[^/?#]+)*$")] = Field(
        "",
        description="Path under which a proxy serves this service, such as /rn; the proxy removes it from"
        " requests.",
    )
    examples: Path | None = Field(
        None,
        description="Folder of labelled images of the default model, a folder per class, on which the page"
        " shows what a changed camera does; unset: it does not.",
    )
    predict_key: SecretStr | None = Field(
        None, description="Key with the role predict, at least 32 characters; `rn key` makes one."
    )
    adapt_key: SecretStr | None = Field(None, description="Key with the role adapt.")
    moments_key: SecretStr | None = Field(
        None,
        description="Key with the role moments: it submits moments of images that stay elsewhere.",
    )
    operate_key: SecretStr | None = Field(None, description="Key with the role operate.")
    metrics_key: SecretStr | None = Field(None, description="Key with the role metrics.")
    keys_file: Path | None = Field(
        None, description="TOML file of keys with their roles and limits, see keys.md."
    )
    allow_anonymous: bool = Field(
        False,
        description="Whether a service without keys may listen on more than the loopback interface; whoever"
        " reaches it may then do everything.",
    )
    allowed_hosts: Names = Field(
        (),
        description="Names under which the service may be called, or *.example.org; addresses and localhost"
        " always are. Unset: with keys any name, without keys only RN_HOST.",
    )
    allowed_origins: Names = Field(
        (),
        description="Other origins whose web pages may call the service, such as https://example.org.",
    )
    requests_per_second: PositiveInt | None = Field(
        None,
        description="Maximum requests of a key that has no limit of its own, and without keys of an"
        " address; unset: unlimited.",
    )
    images_per_minute: PositiveInt | None = Field(
        None, description="The same for images in a minute."
    )
    images_per_day: PositiveInt | None = Field(None, description="The same for images in 24 hours.")

    device: Device = Field(
        "cpu",
        description="Device to run on, cpu or cuda. If CUDA cannot be used, the service does not start.",
    )
    precision: Precision = Field(
        "fp32",
        description="Precision of predictions on a GPU: fp32, tf32 or fp16. The last two are faster and are"
        " compared with fp32 on the bundle's sample images when the service starts.",
    )
    precision_max_loss: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01,
        description="Largest share of the sample images whose label tf32 or fp16 may change.",
    )
    cuda_graphs: bool = Field(
        True,
        description="Whether a GPU replays each batch size as one CUDA graph, which saves the cost of"
        " launching its operators one by one.",
    )
    cuda_memory_bytes: PositiveInt | None = Field(
        None,
        description="Maximum device memory of each version that is loaded, in bytes; unset: no limit but"
        " the device's.",
    )
    public_key: Path | None = Field(
        None,
        description="Ed25519 public key that the bundle must be signed with; unset: signatures are not"
        " checked.",
    )
    engine: EngineKind = Field(
        "auto",
        description="How images are run on a CPU: parallel (each on one processor), latency (each on all"
        " that are idle), batch (together), or auto, which measures the model when it is loaded.",
    )
    workers: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Images, or batches, that are decoded and run at the same time; 0: as many as the"
        " processors of this service.",
    )
    threads: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Threads of ONNX Runtime within one run; 0: as the engine says.",
    )

    max_body_bytes: PositiveInt = Field(32 * 2**20, description="Maximum request body, in bytes.")
    max_held_bytes: PositiveInt | None = Field(
        None,
        description="Maximum bytes of the bodies of all requests together; unset: 256 MiB, or a quarter of"
        " the memory if that is less, but at least two of the largest bodies.",
    )
    max_pixels: PositiveInt = Field(MAX_PIXELS, description="Maximum pixels per posted image.")
    max_images: PositiveInt = Field(256, description="Maximum images per request.")
    max_batch: Annotated[int, Field(ge=0)] = Field(
        0, description="Maximum images per run; 0: as the engine says, and 64 on a GPU."
    )
    max_queue: PositiveInt = Field(1024, description="Maximum images waiting for prediction.")
    max_wait_seconds: Positive = Field(
        10.0,
        description="Maximum time that a new request is expected to wait for its turn, in seconds; if it"
        " would be longer, the request is refused at once.",
    )
    timeout_seconds: Positive = Field(
        30.0,
        description="Maximum time from the arrival of a request for a prediction to its answer, in"
        " seconds.",
    )

    max_connections: PositiveInt = Field(
        4096,
        description="Maximum connections at once; fewer if file descriptors do not suffice. Beyond it, the"
        " connection that has been idle longest is closed for a new one.",
    )
    header_timeout_seconds: Positive = Field(
        10.0,
        description="Maximum time for the headers of a request, and for the first request of a connection,"
        " in seconds.",
    )
    body_timeout_seconds: Positive = Field(
        20.0,
        description="Maximum time for a body, in seconds, beyond that which RN_BODY_MIN_RATE allows; also"
        " how long a client may leave its answer unread.",
    )
    body_min_rate: Positive = Field(
        16384.0, description="Slowest rate at which a body has to arrive, in bytes per second."
    )
    idle_timeout_seconds: Positive = Field(
        75.0, description="Time after which a connection without a request is closed, in seconds."
    )
    shutdown_delay_seconds: Annotated[float, Field(ge=0)] = Field(
        5.0,
        description="Time in seconds in which requests are still taken after SIGTERM, while readiness"
        " already fails; a load balancer needs it to turn away.",
    )
    grpc_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None,
        description="Port on which the Open Inference Protocol is answered over gRPC, without TLS; unset:"
        " none. Needs the extra grpc.",
    )
    drain_seconds: PositiveInt = Field(
        30,
        description="Maximum time to answer what is under way when the service stops, in seconds.",
    )
    forwarded_allow_ips: str = Field(
        "127.0.0.1,::1",
        description="Addresses and networks of proxies, separated by commas, whose X-Forwarded-For and"
        " X-Forwarded-Proto are believed; * for all.",
    )

    commit_every: PositiveInt = Field(64, description="Admitted images per new version.")
    prior_count: Positive | None = Field(
        None,
        description="Weight of the base statistics at first, in images, in bundles before schema version 4;"
        " unset: as the bundle says. Later bundles find it themselves.",
    )
    max_count: Positive = Field(
        2048.0, description="Maximum weight of past images; beyond it, older ones fade."
    )
    admission_threshold: Positive = Field(
        8.0,
        description="Robust z-score of an input feature above which a single image is not admitted.",
    )
    change_threshold: Positive = Field(
        8.0,
        description="Difference of the last images from those before, in standard errors of an input"
        " feature, above which the domain has changed.",
    )
    recall_threshold: Positive = Field(
        6.0, description="Difference from an earlier domain below which that domain has come back."
    )
    change_images: Annotated[int, Field(ge=8, le=64)] = Field(
        32, description="Number of images that must show a change of the domain."
    )
    change_requests: PositiveInt = Field(
        2, description="Number of requests that these images must come from."
    )
    max_domains: PositiveInt = Field(
        8, description="Number of earlier domains that may come back, pinned ones not counted."
    )
    adaptation: Mode = Field(
        "shadow",
        description="What becomes of good versions of a new target: auto publishes them, shadow only"
        " proposes them to a person, off makes none.",
    )
    reservoir: Annotated[int, Field(ge=0)] = Field(
        128,
        description="Number of recent admitted images of a domain, kept in memory, on which candidates are"
        " scored; 0: none are kept, and in a domain without sample images versions are only proposed.",
    )
    reservoir_folder: Path | None = Field(
        None,
        description="Folder in which these images are kept, too, so that they survive a restart; each"
        " process needs its own.",
    )
    reservoir_key: SecretStr | None = Field(
        None,
        description="Fernet key that encrypts them on disk, 32 random bytes in url-safe base64; unset: they"
        " are written as they are.",
    )
    publication_margin: Annotated[float, Field(ge=0)] = Field(
        0.02,
        validation_alias=AliasChoices("RN_PUBLICATION_MARGIN", "RN_GATE_MARGIN"),
        description="How much worse than the served version a candidate may score on images of another"
        " domain than the exported one.",
    )
    publication_max_shift: Positive = Field(
        5.0,
        validation_alias=AliasChoices("RN_PUBLICATION_MAX_SHIFT", "RN_GATE_MAX_SHIFT"),
        description="Largest average shift of the target means that one version may make, in standard"
        " deviations.",
    )
    publication_recognizable: Annotated[float, Field(ge=0)] = Field(
        0.75,
        description="Smallest score of a version on images of a new domain, as a share of the score of the"
        " exported version on the sample images.",
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.01,
        description="Level of the guards: largest probability that a harmless version is refused, or ever"
        " rolled back.",
    )
    watch_predictions: Annotated[int, Field(ge=0)] = Field(
        0,
        description="One of so many images of predictions is compared with the images of the domain, for"
        " /drift and the metrics; 0: none. Only its input features are kept.",
    )
    keep_versions: PositiveInt | None = Field(
        None,
        description="Number of newest published versions, and of newest rejected ones, whose moments are"
        " kept, in addition to version 0, those with a label and the parent of the served one; unset: all."
        " Records of versions are always kept.",
    )

    @model_validator(mode="after")
    def _check_models(self) -> Self:
        if self.bundle is None and self.models is None:
            raise PydanticCustomError("no_bundle", NO_BUNDLE)
        return self

    @model_validator(mode="after")
    def _check_reservoir(self) -> Self:
        if self.reservoir_key is not None:
            try:
                Fernet(self.reservoir_key.get_secret_value())
            except ValueError as error:
                raise PydanticCustomError("no_fernet_key", NO_FERNET_KEY) from error
        return self

    log_format: LogFormat = Field(
        "auto",
        description="Form of log lines: text, json, or auto: text on a terminal, json elsewhere.",
    )
    log_level: LogLevel = Field(
        "info", description="Lowest level of log lines: debug, info, warning, error."
    )
    access_log: bool | None = Field(
        None, description="Whether every request is a log line; unset: only on a terminal."
    )
    metric_classes: PositiveInt = Field(
        50,
        description="Number of classes per target whose predictions are counted by themselves in the"
        " metrics; further ones are counted together as other.",
    )

    @property
    def logs_requests(self) -> bool:
        """Whether every request is a log line, with the default resolved."""
        return sys.stderr.isatty() if self.access_log is None else self.access_log

    @property
    def processors(self) -> int:
        """Number of processors that the service may use."""
        return available_processors()

    @property
    def worker_count(self) -> int:
        """Number of workers of the engine, with the default resolved."""
        return self.workers or self.processors

    @property
    def held_body_bytes(self) -> int:
        """Maximum bytes of the bodies of all requests together, with the default resolved."""
        default = max(2 * self.max_body_bytes, min(256 * 2**20, available_memory() // 4))
        return self.max_held_bytes or default


@lru_cache
def available_memory() -> int:
    """Bytes of memory that this process may use: that of the machine, limited by the cgroup."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return total


@lru_cache
def available_processors() -> int:
    """Number of processors that this process may use: its affinity, limited by the cgroup's quota."""
    # macOS knows no affinity.
    known = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return count
    if quota == "max":
        return count
    return max(1, min(count, int(quota) // int(period)))
