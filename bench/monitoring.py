"""What monitoring costs one request: ``python -m bench.monitoring``.

An application that does nothing is called without a socket, bare and behind the observer of requests with
every metric that a prediction touches. Both are measured in turns, and the smallest time of each counts.
"""

import argparse
import asyncio
import contextlib
import io
import logging
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.observation import RequestObserver
from service.monitoring.logs import configure_logging
from service.monitoring.metrics import Metrics

REQUESTS = 5000
_START = {"type": "http.response.start", "status": 200, "headers": []}
_BODY = {"type": "http.response.body", "body": b""}


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once."""
    await send(_START.copy())
    await send(_BODY)


def predicting(metrics: Metrics) -> ASGIApp:
    """An application that only counts, as a prediction does."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        stages = metrics.stages
        for stage in (stages.read, stages.queue, stages.decode, stages.infer, stages.answer):
            stage.observe(0.001)
        metrics.batch_images.observe(1)
        metrics.queued.set(1)
        metrics.queued.set(0)
        metrics.predictions.inc("model", "default", "class")
        await bare(scope, receive, send)

    return app


async def _time(app: ASGIApp) -> float:
    """Microseconds of processor time per request."""
    headers = [(b"host", b"localhost"), (b"content-type", b"image/png"), (b"accept", b"*/*")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        pass

    begun = time.process_time()
    for _ in range(REQUESTS):
        await app(dict(scope), receive, send)
    return (time.process_time() - begun) / REQUESTS * 1e6


def main() -> None:
    """Measure, and print a line per variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="Rounds; the best of each counts.")
    rounds = parser.parse_args().rounds
    configure_logging("json", "info")
    handler = logging.getLogger().handlers[0]
    metrics = Metrics()
    counted = predicting(metrics)
    variants: dict[str, ASGIApp] = {
        "nothing": bare,
        "metrics and identifier": RequestObserver(counted, metrics, log=False),
        "the same and an access log line": RequestObserver(counted, metrics, log=True),
    }
    best = dict.fromkeys(variants, float("inf"))
    with contextlib.redirect_stderr(io.StringIO()):
        for _ in range(rounds):
            for name, app in variants.items():
                best[name] = min(best[name], asyncio.run(_time(app)))
    handler.close()
    for name, microseconds in best.items():
        print(f"{name}: {microseconds - best['nothing']:.1f} us more than nothing")
    ratio = best["the same and an access log line"] / best["metrics and identifier"]
    print(f"with the line: {ratio:.1f} times the time without")


if __name__ == "__main__":
    main()
