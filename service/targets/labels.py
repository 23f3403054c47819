"""The version that a request asks for, by number or by label."""

import asyncio

from service.errors import UnknownVersion
from service.inference.sessions import Session
from service.targets.target import OnlineTarget
from service.vocabulary import Label


async def find_session(target: OnlineTarget, version: int | Label | None) -> Session | None:
    """A version that is ready to run; builds it first if it is not, without a stop of other requests.

    Args:
        target: the target.
        version: number or label of the version, None for the served one.

    Returns:
        None for the served version, which is known when the request is run.

    Raises:
        UnknownVersion: if there is no such version, or none with this label.
        MomentsDropped: if only its record is kept.
        QueueFull: if too many versions are being built.
    """
    if version is None or version == "serving":
        return None
    if version == "shadow":
        shadow = target.served.shadow
        if shadow is None:
            raise UnknownVersion(
                f"no version of target {target.name!r} has the label 'shadow'; PUT /labels/shadow sets it"
            )
        return shadow
    ready = target.served.find(version)
    if ready is not None:
        return ready
    # Others may wait for the same version, so it is built even if this request ends.
    return await asyncio.shield(asyncio.wrap_future(target.served.prepare(version)))
