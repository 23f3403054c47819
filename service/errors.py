"""Errors of the service, in words; ``service.api`` decides how each is reported over HTTP."""


class ServiceError(Exception):
    """An error that is reported to the client in one clear line.

    Attributes:
        detail: the line.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class MalformedRequest(ServiceError):
    """The request is incomplete or not well-formed."""


class UnsupportedContent(ServiceError):
    """The content type is not supported."""


class UnsupportedEncoding(UnsupportedContent):
    """The body is compressed in a way that is not read."""


class RequestTimeout(ServiceError):
    """The body did not arrive in time."""


class TooLarge(ServiceError):
    """More bytes, pixels or images than allowed."""


class InvalidContent(ServiceError):
    """The content is not what its type says, or a value is not allowed."""


class ClientDisconnected(ServiceError):
    """The client closed the connection; nobody reads this."""


class UnknownModel(ServiceError):
    """No model with this name is loaded."""


class ModelNotLoaded(ServiceError):
    """The bundle of the model cannot be loaded; what ran before runs on."""


class TooManyModels(ServiceError):
    """As many models are loaded as the settings allow."""


class DefaultModelNeeded(ServiceError):
    """The default model cannot be unloaded."""


class UnknownTarget(ServiceError):
    """No target has this name."""


class TargetExists(ServiceError):
    """A target has this name already."""


class TooManyTargets(ServiceError):
    """There are as many targets as the settings allow."""


class DefaultTargetNeeded(ServiceError):
    """The default target cannot be deleted."""


class UnknownVersion(ServiceError):
    """The target has no version with this number."""


class MomentsDropped(ServiceError):
    """The record of the version is kept, but its moments are not, so it cannot be run."""


class RejectedVersion(ServiceError):
    """A guard rejected the version, and nobody said why it should be served all the same."""


class UnknownBatch(ServiceError):
    """The target has no batch of this name."""


class UnknownDomain(ServiceError):
    """The target has no domain with this number."""


class DomainInUse(ServiceError):
    """The domain cannot be forgotten."""


class NothingToRollBack(ServiceError):
    """The served version has no parent."""


class AdaptationFrozen(ServiceError):
    """Adaptation is switched off."""


class ConcurrentChange(ServiceError):
    """Another process changed the target in the meantime."""


class KeyReused(ServiceError):
    """The idempotency key was used for another request."""


class QueueFull(ServiceError):
    """Too many images are waiting for prediction.

    Attributes:
        retry_after: seconds after which to try again.
    """

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Overloaded(ServiceError):
    """The bodies of other requests take the memory that this one needs.

    Attributes:
        retry_after: seconds after which to try again.
    """

    retry_after = 1


class DeadlinePassed(ServiceError):
    """The prediction was not ready in time."""


class ShuttingDown(ServiceError):
    """The service is shutting down."""


class LedgerError(ServiceError):
    """The ledger cannot be opened or used."""


class LedgerConflict(LedgerError):
    """Another process changed the target since it was read."""


class Unauthenticated(ServiceError):
    """The request holds no key, or one that the service does not know."""


class MissingRole(ServiceError):
    """The key does not have the role that the operation needs."""


class CrossOriginRequest(ServiceError):
    """A web page of another origin sent the request."""


class NotLoopback(ServiceError):
    """Without keys, the service answers on the loopback interface only."""


class MisdirectedRequest(ServiceError):
    """The request names a host that the service does not answer as."""


class RateLimited(ServiceError):
    """The client sent more requests or images than it may.

    Attributes:
        retry_after: seconds after which to try again.
    """

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
