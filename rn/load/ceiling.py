"""The limit of this machine for a bundle: how fast one process without a server decodes and runs.

All processors work, each in a thread that decodes an image and runs it, in one shared session with one
intra-operator thread. It runs in a process of its own: ``python -m rn.load.ceiling BUNDLE FILE...``.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

from bundle.errors import BundleError
from bundle.images.errors import ImageError
from bundle.text import describe_error
from rn.load.errors import LoadError
from rn.load.payload import NPY
from rn.load.sending.request import Payload

# Until memory is allocated and the processors have their speed.
WARM_UP_SECONDS = 0.5


@dataclass(frozen=True)
class Ceiling:
    """Rate without a server.

    Attributes:
        requests_per_second: rate at which requests were decoded and run.
        threads: threads that did so; one per processor.
    """

    requests_per_second: float
    threads: int

    def ratio(self, rate: float, generator_processors: float = 0.0) -> float:
        """A rate as a share of the limit.

        Args:
            rate: requests per second that were served.
            generator_processors: processors that the load generator took; they are subtracted from those
                that the limit was measured with.
        """
        left = max(self.threads - generator_processors, 1e-9) / self.threads
        return rate / (self.requests_per_second * left)


def measure_ceiling(bundle: Path, payloads: Sequence[Payload], seconds: float = 3.0) -> Ceiling:
    """Measure in a new process.

    Raises:
        LoadError: if the bundle or an image cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, payload in enumerate(payloads):
            suffix = ".npy" if payload.content_type == NPY else ".image"
            files.append(Path(folder, f"{number}{suffix}"))
            files[-1].write_bytes(payload.body)
        command = [sys.executable, "-m", __name__, str(bundle), *map(str, files)]
        ran = subprocess.run(
            [*command, "--seconds", str(seconds)], capture_output=True, text=True, check=False
        )
    if ran.returncode:
        reason = (ran.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LoadError(reason)
    return Ceiling(**json.loads(ran.stdout))


def run_here(bundle: Path, files: Sequence[Path], seconds: float) -> Ceiling:
    """Measure in this process."""
    import numpy as np

    from bundle.reading.loading import load_bundle
    from bundle.runtime import make_session
    from service.settings import available_processors

    loaded = load_bundle(bundle)
    session = make_session(loaded.predict, loaded.predict_arrays, threads=1)
    contract = loaded.manifest.preprocessing
    contents = [(path.suffix == ".npy", path.read_bytes()) for path in files]
    threads = available_processors()
    counts = [0] * threads
    errors: list[Exception] = []
    begin = time.perf_counter() + WARM_UP_SECONDS
    end = begin + seconds

    def work(number: int) -> None:
        try:
            for is_array, content in islice(cycle(contents), number, None):
                if is_array:
                    pixels = np.load(io.BytesIO(content), allow_pickle=False)
                else:
                    pixels = contract.read(content)[None]
                session.run(["logits"], {"image": pixels})
                now = time.perf_counter()
                if now >= end:
                    return
                counts[number] += now >= begin
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return Ceiling(sum(counts) / seconds, threads)


def main() -> None:
    """Print the limit as JSON."""
    parser = argparse.ArgumentParser(description="How fast this machine decodes and runs images.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    try:
        print(json.dumps(asdict(run_here(given.bundle, given.files, given.seconds))))
    except (BundleError, ImageError, OSError) as error:
        sys.exit(describe_error(error))


if __name__ == "__main__":
    main()
