# ruff: noqa: N802 - the methods have the names of the protocol.
"""The protocol over gRPC: what each call does."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any
from urllib.parse import unquote

import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as stubs

from service.api.problems import status_of, type_of
from service.api.v2 import description
from service.api.v2.grpc_messages import message_of, read_request, write_answer
from service.api.v2.inference import infer
from service.errors import DeadlinePassed, InvalidContent, ServiceError
from service.inference.engine import Place
from service.inference.prediction import Prediction
from service.lifespan import Resources
from service.security.authentication import Caller
from service.security.roles import ANY_KEY, EVERYBODY, METRICS, OPERATE, PREDICT, Access

Call = Callable[..., Awaitable[Any]]

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def _answering(access: Access) -> Callable[[Call], Call]:
    """Let those call who have one of the roles, and errors end a call with their status and their line."""

    def decorate(call: Call) -> Call:
        @functools.wraps(call)
        async def answer(self: "Servicer", request: Any, context: Any) -> Any:
            try:
                caller = _admit(self.resources, access, context)
                return await call(self, request, context, caller)
            except ServiceError as error:
                status = status_of(type(error))
                self.resources.metrics.count_problem(status, type_of(type(error)))
                await context.abort(_CODES.get(status, grpc.StatusCode.INTERNAL), error.detail)

        return answer

    return decorate


def _admit(resources: Resources, access: Access, context: Any) -> Caller:
    """The caller, by the key in the metadata, which has the names of the headers over HTTP.

    Raises:
        ServiceError: if the call is not let in.
    """
    metadata = dict(context.invocation_metadata() or ())
    authenticator = resources.policy.authenticator
    key = metadata.get("authorization"), metadata.get("x-api-key")
    address = _address(context.peer())
    if access is None:
        return authenticator.recognize(*key, address)
    caller = authenticator.authenticate(*key, address)
    caller.require(access)
    caller.admit()
    return caller


def _address(peer: str) -> str:
    """The address in what gRPC calls a client, such as ``ipv4:127.0.0.1:50000``."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")


class Servicer(stubs.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers the calls of the protocol.

    Args:
        resources: resources of the application.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    @_answering(EVERYBODY)
    async def ServerLive(self, _: Any, __: Any, _caller: Caller) -> Any:
        """Report that the process answers."""
        return pb.ServerLiveResponse(live=True)

    @_answering(EVERYBODY)
    async def ServerReady(self, _: Any, __: Any, _caller: Caller) -> Any:
        """Report whether requests are accepted."""
        return pb.ServerReadyResponse(ready=not self.resources.draining)

    @_answering(ANY_KEY)
    async def ModelReady(self, request: Any, _: Any, _caller: Caller) -> Any:
        """Report whether a model, or a version of it, can be asked for predictions."""
        ready = await self.resources.offload(
            lambda: description.is_ready(self.resources, request.name, request.version)
        )
        return pb.ModelReadyResponse(ready=ready)

    @_answering(ANY_KEY)
    async def ServerMetadata(self, _: Any, __: Any, _caller: Caller) -> Any:
        """Name the server, its version, and the extensions of the protocol that it has."""
        content = description.describe_server(description.GRPC_EXTENSIONS)
        return message_of(pb.ServerMetadataResponse, content)

    @_answering(ANY_KEY)
    async def ModelMetadata(self, request: Any, _: Any, _caller: Caller) -> Any:
        """Describe a model: its versions, inputs and outputs."""
        with self.resources.models.find(request.name).use() as model:
            content = await self.resources.offload(
                lambda: description.describe_model(model, request.version)
            )
        return message_of(pb.ModelMetadataResponse, content)

    @_answering(PREDICT)
    async def ModelInfer(self, request: Any, context: Any, caller: Caller) -> Any:
        """Predict."""
        resources = self.resources
        with (
            resources.models.find(request.model_name).use() as model,
            resources.engine.admit() as place,
        ):
            left = context.time_remaining()
            if left is not None:
                place.deadline = min(place.deadline, time.monotonic() + left)
            wanted = await resources.offload(lambda: read_request(request))
            answer = await infer(
                resources,
                model,
                request.model_version,
                wanted,
                place,
                caller,
                lambda reply: _wait(reply, place),
            )
        return write_answer(answer)

    @_answering(METRICS)
    async def ModelStatistics(self, request: Any, _: Any, _caller: Caller) -> Any:
        """Count what models answered since they were loaded."""
        models = self.resources.models
        names = [request.name] if request.name else models.names
        found = [models.find(name) for name in names]
        content = await self.resources.offload(
            lambda: [
                entry
                for model in found
                for entry in description.describe_statistics(model, request.version)
            ]
        )
        return message_of(pb.ModelStatisticsResponse, {"model_stats": content})

    @_answering(ANY_KEY)
    async def RepositoryIndex(self, request: Any, _: Any, _caller: Caller) -> Any:
        """List the models that are loaded, and those that can be."""
        statuses = await self.resources.models.statuses()
        content = description.describe_index(statuses, ready=request.ready)
        return message_of(pb.RepositoryIndexResponse, {"models": content})

    @_answering(OPERATE)
    async def RepositoryModelLoad(self, request: Any, _: Any, _caller: Caller) -> Any:
        """Load a model, or replace it by its bundle as it is on disk now."""
        if request.parameters:
            raise InvalidContent("a model is loaded as it is on disk; parameters are not offered")
        await self.resources.models.load(request.model_name)
        return pb.RepositoryModelLoadResponse()

    @_answering(OPERATE)
    async def RepositoryModelUnload(self, request: Any, _: Any, _caller: Caller) -> Any:
        """Unload a model, after the requests that use it."""
        await self.resources.models.unload(request.model_name)
        return pb.RepositoryModelUnloadResponse()


async def _wait(reply: Future[Prediction], place: Place) -> Prediction:
    """The reply to a request; a client that goes cancels the wait, which leaves the queue."""
    try:
        async with asyncio.timeout(place.deadline - time.monotonic()):
            return await asyncio.wrap_future(reply)
    except TimeoutError as error:
        raise DeadlinePassed("no prediction before the deadline") from error
