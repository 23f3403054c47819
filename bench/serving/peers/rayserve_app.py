"""Ray Serve: one replica per processor, each with a session of its own."""

import argparse
import asyncio
import signal

import ray
from ray import serve
from reference import answer, make_session
from starlette.requests import Request


@serve.deployment
class Predictor:
    """Decodes and runs in a thread, so that the replica can take the next request meanwhile."""

    def __init__(self) -> None:
        self.session = make_session()

    async def __call__(self, request: Request) -> dict:
        """Predict the image of the body."""
        content = await request.body()
        return await asyncio.to_thread(answer, self.session, content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    given = parser.parse_args()
    ray.init(num_cpus=given.workers, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": given.port})
    replicas = Predictor.options(
        num_replicas=given.workers, ray_actor_options={"num_cpus": 1}, max_ongoing_requests=16
    )
    serve.run(replicas.bind(), route_prefix="/predict")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
