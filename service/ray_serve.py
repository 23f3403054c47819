"""The service as an application of Ray Serve: `serve run service.ray_serve:application`.

Every replica makes an application of its own from the environment: an application that was made already
cannot be pickled. All replicas follow one ledger, so that it does not matter which one a request meets.
What guards the connection in :mod:`service.server`, such as time limits for slow headers, is up to the
proxies of Ray Serve here.
"""

from typing import Any

from fastapi import FastAPI
from ray import serve

# Requests that one replica has at a time; how many images it queues is up to its settings.
MAX_ONGOING = 100
STOP_SECONDS = 35.0


def make_app() -> FastAPI:
    """The application of one replica, with the settings of the environment.

    Raises:
        ServiceError: see :func:`service.app.create_app`.
    """
    from service.app import create_app

    return create_app()


def bind(replicas: int = 1) -> Any:
    """The application of Ray Serve.

    Args:
        replicas: number of replicas at first; ``serve deploy`` and its configuration file can change it.
    """
    deployment = serve.deployment(
        serve.ingress(make_app)(),
        name="reciprocal-norm",
        num_replicas=replicas,
        max_ongoing_requests=MAX_ONGOING,
        graceful_shutdown_timeout_s=STOP_SECONDS,
    )
    return deployment.bind()


application = bind()
