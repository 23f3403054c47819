"""Kills the service again and again under load: ``python -m bench.crashes BUNDLE --kills 1000``.

Clients post small batches, each under an idempotency key of its own, and repeat a batch until it is
answered. The process is killed (SIGKILL) at random moments, while it starts, too, and started again on the
same ledger. At the end every batch that was acknowledged must be in the ledger exactly once, with its
images, and what is sent again must be answered as the first time. ``--ledger`` takes any database.
"""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import sqlalchemy as sa
import typer

from bundle import load_bundle
from bundle.preprocessing import Pixels
from rn.load.payload import NPY, npy_bytes
from service.ledger.tables import BatchRow

CLIENTS = 4
IMAGES = 2
# Answers that are asked for again after the last kill.
REPEATED = 500
LONG = 120.0


@dataclass
class Client:
    """A client that repeats a batch until it is acknowledged.

    Attributes:
        name: its name.
        images: images of which it posts variations.
        answers: what it was answered, by the number of the batch.
        refusals: other answers than 200, by status.
    """

    name: int
    images: Pixels
    answers: list[dict[str, Any]] = field(default_factory=list)
    refusals: Counter[int] = field(default_factory=Counter)

    def post(self, http: httpx.Client, number: int) -> httpx.Response:
        """Post a batch; the same number always gives the same bytes."""
        headers = {"Content-Type": NPY, "Idempotency-Key": f"{self.name} {number}"}
        return http.post("/adapt", content=npy_bytes(self._batch(number)), headers=headers)

    def run(self, url: str) -> None:
        """Post batches until the service is gone."""
        with httpx.Client(base_url=url, timeout=LONG) as http:
            while True:
                try:
                    answer = self.post(http, len(self.answers))
                except httpx.TransportError:
                    return
                if answer.status_code == httpx.codes.OK:
                    self.answers.append(answer.json())
                else:
                    self.refusals[answer.status_code] += 1

    def _batch(self, number: int) -> Pixels:
        generator = np.random.default_rng([self.name, number])
        chosen = self.images[generator.choice(len(self.images), IMAGES, replace=False)]
        changed = chosen.astype(np.int16) + generator.integers(-3, 4, chosen.shape)
        found: Pixels = np.clip(changed, 0, 255).astype(np.uint8)
        return found


class Service:
    """A process of the service on a ledger."""

    def __init__(self, bundle: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "rn", "serve", str(bundle), "--port", "0"]
        self._popen = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def url(self) -> str:
        """Where it listens, once it does.

        Raises:
            RuntimeError: if it ends instead.
        """
        assert self._popen.stderr is not None
        said = []
        for line in self._popen.stderr:
            said.append(line)
            found = re.search(r" on (http://\S+)", line)
            if found:
                threading.Thread(target=self._popen.stderr.read, daemon=True).start()
                return found[1]
        raise RuntimeError("the service did not start: " + "".join(said))

    def kill(self) -> None:
        """Kill it."""
        self._popen.send_signal(signal.SIGKILL)
        self._popen.wait()


def live(service: Service, clients: list[Client], seconds: float) -> None:
    """Let clients post from when it listens, and kill it some time afterwards."""
    url = service.url()
    threads = [threading.Thread(target=client.run, args=(url,)) for client in clients]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    service.kill()
    for thread in threads:
        thread.join()


def check(ledger: str, clients: list[Client]) -> list[str]:
    """What the ledger has lost or doubled."""
    engine = sa.create_engine(ledger)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(BatchRow.key, BatchRow.images)).all()
    engine.dispose()
    known: dict[str, int] = {row.key: row.images for row in rows}
    problems = []
    for client in clients:
        for number, answer in enumerate(client.answers):
            images = known.pop(answer["batch"], 0)
            if images != answer["admitted"]:
                what = f"batch {number} of client {client.name}"
                problems.append(f"{what}: {answer['admitted']} acknowledged, {images} recorded")
    # Each client may have one batch that was recorded, and whose answer never came.
    if len(known) > len(clients):
        problems.append(f"{len(known)} batches that nobody was answered")
    return problems


def check_answers(url: str, clients: list[Client]) -> list[str]:
    """Whether the last batches, sent again, are answered as before."""
    problems = []
    with httpx.Client(base_url=url, timeout=LONG) as http:
        for client in clients:
            first = max(0, len(client.answers) - REPEATED // len(clients))
            for number in range(first, len(client.answers)):
                if client.post(http, number).json() != client.answers[number]:
                    problems.append(f"batch {number} of client {client.name}: another answer")
    return problems


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle with sample images.")],
    kills: Annotated[int, typer.Option(min=1, help="Number of kills.")] = 1000,
    ledger: Annotated[str, typer.Option(help="Database URL; by default a new SQLite file.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of the moments.")] = 0,
) -> None:
    """Kill, and say what was lost."""
    samples = load_bundle(bundle).sample_images
    assert samples is not None, "a bundle with sample images is needed"
    moments = random.Random(seed)
    clients = [Client(number, samples) for number in range(CLIENTS)]
    early = 0
    with tempfile.TemporaryDirectory() as folder:
        url = ledger or f"sqlite:///{folder}/ledger.sqlite"
        environment = {
            **os.environ,
            "RN_LEDGER": url,
            "RN_ADAPTATION": "auto",
            "RN_ENGINE": "parallel",
            "RN_THREADS": "1",
        }
        for number in range(kills):
            service = Service(bundle, environment)
            if moments.random() < 0.1:
                early += 1
                time.sleep(2.0 * moments.random())
                service.kill()
            else:
                live(service, clients, moments.random())
            if (number + 1) % 100 == 0:
                print(f"{number + 1} kills, {len(check(url, clients))} problems", flush=True)
        problems = check(url, clients)
        service = Service(bundle, environment)
        problems += check_answers(service.url(), clients)
        service.kill()
    answered = sum(len(client.answers) for client in clients)
    refusals = sum((client.refusals for client in clients), Counter[int]())
    print(f"{kills} kills, {early} of them while it started; {answered} batches acknowledged")
    print(f"refused: {dict(refusals) or 'none'}; lost, doubled or changed: {len(problems)}")
    for problem in problems[:20]:
        print(f"  {problem}")
    raise typer.Exit(bool(problems))


if __name__ == "__main__":
    typer.run(main)
