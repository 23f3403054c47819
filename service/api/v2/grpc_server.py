"""Serves the protocol over gRPC, on the loop of the HTTP server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from tritonclient.grpc import service_pb2_grpc as stubs

from service.api.v2.grpc_servicer import Servicer
from service.lifespan import Resources

# What a message holds besides its tensors.
OVERHEAD = 2**16


class ListeningFailed(RuntimeError):
    """A port cannot be listened on."""


@asynccontextmanager
async def serving_grpc(resources: Resources, port: int) -> AsyncIterator[int]:
    """Answer calls as long as the block runs; at its end, those under way are answered first.

    Args:
        resources: resources of the application.
        port: port to listen on, 0 for any that is free.

    Yields:
        The port.

    Raises:
        ListeningFailed: if the port cannot be used.
    """
    settings = resources.settings
    limit = settings.max_body_bytes + OVERHEAD
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ]
    )
    stubs.add_GRPCInferenceServiceServicer_to_server(Servicer(resources), server)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise ListeningFailed(f"cannot listen on {host}:{port} for gRPC") from error
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(settings.drain_seconds)
