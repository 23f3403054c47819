"""Settings of the service, each from an environment variable with the prefix ``RN_``."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.inference.device import Device

PositiveInt = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """What can be configured; ``RN_BUNDLE``, ``RN_PORT`` and so on."""

    model_config = SettingsConfigDict(env_prefix="RN_")

    bundle: Path = Field(description="Directory of the bundle to serve.")
    ledger: str = Field(
        "sqlite:///var/ledger.sqlite",
        description="Database URL of the ledger of versions, as SQLAlchemy takes it.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port to listen on.")
    device: Device = Field(
        "cpu", description="Where to run; if cuda cannot be used, the service refuses to start."
    )
    public_key: Path | None = Field(
        None,
        description="Ed25519 public key of the one who must have signed the bundle; None: anyone.",
    )
    threads: Annotated[int, Field(ge=0)] = Field(
        0, description="Threads of an operator; 0 means as many as the processors of this service."
    )

    max_body_bytes: PositiveInt = Field(32 * 2**20, description="Largest request body, in bytes.")
    max_pixels: PositiveInt = Field(25_000_000, description="Most pixels of one posted image.")
    max_images: PositiveInt = Field(256, description="Most images of one request.")
    max_batch: PositiveInt = Field(64, description="Most images that are run at once.")
    max_queue: PositiveInt = Field(1024, description="Most images that may wait for prediction.")
    timeout_seconds: Positive = Field(30.0, description="Longest wait for a prediction.")

    commit_every: PositiveInt = Field(64, description="Admitted images that make a new version.")
    prior_count: Positive | None = Field(
        None,
        description="Images that the base statistics weigh at first; None: as the bundle says.",
    )
    max_count: Positive = Field(
        2048.0, description="Most images that the statistics remember; older ones fade."
    )
    admission_window: PositiveInt = Field(
        512, description="Last admitted images against which new ones are judged."
    )
    admission_threshold: Positive = Field(
        8.0, description="Robust z-score of an input feature above which an image is not admitted."
    )
    change_images: PositiveInt = Field(
        32, description="Images that agree with one another before they count as a new domain."
    )
    reservoir: PositiveInt = Field(
        256, description="Recent admitted images, kept in memory, on which candidates are scored."
    )
    gate_margin: Annotated[float, Field(ge=0)] = Field(
        0.05, description="How much worse than the served version a candidate may score."
    )
    gate_max_shift: Positive = Field(
        5.0,
        description="Most mean shift of the target means by one commit, in standard deviations.",
    )

    @property
    def effective_threads(self) -> int:
        """Threads of an operator, the default resolved."""
        return self.threads or available_processors()


@lru_cache
def available_processors() -> int:
    """Processors that this process may use: its affinity, limited by the control group's quota."""
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return count
    if quota == "max":
        return count
    return max(1, min(count, int(quota) // int(period)))
