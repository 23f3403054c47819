"""The client: requests to one target of a running service."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from service.client.batches import batched
from service.client.errors import ClientError, error_of, shifted
from service.client.retries import NO_RETRIES, TOO_MANY_REQUESTS, UNAVAILABLE, Retries
from service.schemas import (
    AdaptResult,
    BatchInfo,
    DomainInfo,
    Domains,
    Drift,
    EventPage,
    EvidenceInfo,
    Health,
    PredictResult,
    RollbackRequest,
    TargetInfo,
    TargetList,
)
from service.vocabulary import Mode

Image = bytes | Path

M = TypeVar("M", bound=BaseModel)

TOO_LARGE = 413


class Client:
    """Talks to one target of a service; closes its connections when it leaves a ``with`` block.

    Args:
        url: URL of the service.
        target: name of the target.
        timeout: time limit per request, in seconds.
        http: HTTP client to use instead of a new one; it is left open.
        key: key of the service, if it needs one. Over a network, use https: a key is sent in clear.
        retries: how to repeat requests that may safely arrive twice. Default: not at all.

    Raises:
        ClientError: by every method.

    Example:
        with Client("http://127.0.0.1:8000") as client:
            print(client.predict([Path("digit.png")]).predictions[0].label)
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        target: str = "default",
        timeout: float = 60.0,
        http: httpx.Client | None = None,
        key: str | None = None,
        retries: Retries = NO_RETRIES,
    ) -> None:
        self._url = url.rstrip("/")
        self._target = target
        self._retries = retries
        self._credentials = _credentials(key)
        self._own = http is None
        self._http = http or httpx.Client(timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._own:
            self._http.close()

    def predict(
        self,
        images: Sequence[Image],
        *,
        version: int | None = None,
        top_k: int | Literal["all"] | None = None,
    ) -> PredictResult:
        """Label images, in several requests if they are many or large.

        Args:
            images: contents of image files, or their paths.
            version: version to predict with; default: the served one. All images are predicted with the
                same version.
            top_k: number of classes whose probabilities are listed, the most probable, or ``"all"`` in the
                order of the list of classes; default: 5.

        Returns:
            Predictions in the order of the images.
        """
        first: PredictResult | None = None
        for batch in batched(images, _size) if images else [images]:
            start = 0 if first is None else len(first.predictions)
            result = self._predict(batch, start, version=version, top_k=top_k)
            version = result.version
            if first is None:
                first = result
            else:
                first.predictions.extend(result.predictions)
        assert first is not None
        return first

    def adapt(
        self,
        images: Sequence[Image],
        *,
        key: str | None = None,
        predict: bool = False,
        dry_run: bool = False,
    ) -> AdaptResult:
        """Post unlabelled images of the target.

        Args:
            images: contents of image files, or their paths.
            key: idempotency key; repeats of a request with the same key count once.
            predict: whether to answer with predictions of the network adapted to these images.
            dry_run: whether only to say what would become of the images.
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        chosen = {"predict": predict, "dry_run": dry_run}
        params = {name: "true" for name, wanted in chosen.items() if wanted}
        return self._send(
            "POST",
            "/adapt",
            AdaptResult,
            key is not None,
            files=_files(images),
            headers=headers,
            params=params,
        )

    def submit_moments(
        self, content: bytes, *, key: str | None = None, dry_run: bool = False
    ) -> AdaptResult:
        """Submit moments of images that stay elsewhere.

        Args:
            content: a file that ``rn observe`` wrote.
            key: idempotency key; repeats of a request with the same key count once.
            dry_run: whether only to say what would become of them.
        """
        headers = {"Content-Type": "application/octet-stream"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self._send(
            "POST",
            "/adapt/moments",
            AdaptResult,
            key is not None,
            content=content,
            headers=headers,
            params={"dry_run": "true"} if dry_run else {},
        )

    def batch(self, name: str) -> BatchInfo:
        """Say what became of a batch, by the name that :meth:`adapt` answered."""
        return self._send("GET", f"/batches/{quote(name, safe='')}", BatchInfo, repeat=True)

    def set_mode(self, mode: Mode, *, reason: str | None = None) -> TargetInfo:
        """Say what becomes of good versions: ``off``, ``shadow`` or ``auto``."""
        return self._send("PUT", "/mode", TargetInfo, json={"mode": mode, "reason": reason})

    def targets(self) -> TargetList:
        """List the targets of the default model."""
        return self._parse(self._request("GET", f"{self._url}/targets", True), TargetList)

    def create_target(self, name: str) -> TargetList:
        """Make a target, which begins with the exported version."""
        body = {"name": name}
        return self._parse(self._request("POST", f"{self._url}/targets", json=body), TargetList)

    def delete_target(self, name: str) -> TargetList:
        """Delete a target with all its versions and events."""
        url = f"{self._url}/targets/{quote(name, safe='')}"
        return self._parse(self._request("DELETE", url), TargetList)

    def change_domain(
        self, number: int, *, name: str | None, pinned: bool, reason: str | None = None
    ) -> DomainInfo:
        """Name a domain, and pin it, so that it is kept however many others come."""
        body = {"name": name, "pinned": pinned, "reason": reason}
        return self._send("PUT", f"/domains/{number}", DomainInfo, json=body)

    def forget_domain(self, number: int) -> Domains:
        """Forget a domain: its images will be those of a new one."""
        return self._send("DELETE", f"/domains/{number}", Domains)

    def domains(self) -> Domains:
        """List the domains that the target has been in."""
        return self._send("GET", "/domains", Domains, repeat=True)

    def drift(self) -> Drift:
        """Compare the last images with those before, and the domain with the exported one."""
        return self._send("GET", "/drift", Drift, repeat=True)

    def evidence(self, version: int, labels: Mapping[str, str] | None = None) -> EvidenceInfo:
        """What labels say of a version, and the images whose labels would say more.

        Args:
            version: the version.
            labels: labels to add, by the names of the images.
        """
        path = f"/versions/{version}/evidence"
        if not labels:
            return self._send("GET", path, EvidenceInfo, repeat=True)
        return self._send("POST", path, EvidenceInfo, json={"labels": dict(labels)})

    def versions(self, *, limit: int = 100, before: int | None = None) -> TargetInfo:
        """List the newest versions, oldest first, and name the served one.

        Args:
            limit: maximum number of versions.
            before: only versions before this one; ``earlier`` of a result pages back.
        """
        params = _given(limit=limit, before=before)
        return self._send("GET", "/versions", TargetInfo, repeat=True, params=params)

    def events(
        self, *, limit: int = 100, before: int | None = None, after: int | None = None
    ) -> EventPage:
        """List the events of the target, oldest first; by default the newest page.

        Args:
            limit: maximum number of events.
            before: only events before this one; ``earlier`` of a result pages back.
            after: only events after this one; ``latest`` of a result follows the history.
        """
        params = _given(limit=limit, before=before, after=after)
        return self._send("GET", "/events", EventPage, repeat=True, params=params)

    def promote(
        self, version: int, *, force: bool = False, reason: str | None = None
    ) -> TargetInfo:
        """Serve a version.

        Args:
            version: the version.
            force: whether it is served although a guard rejected it; needs a reason.
            reason: why; it is recorded.
        """
        body = {"force": force, "reason": reason}
        return self._send("POST", f"/versions/{version}/promote", TargetInfo, json=body)

    def rollback(self, version: int | None = None, *, reason: str | None = None) -> TargetInfo:
        """Serve an earlier version; default: the parent of the served one."""
        body = RollbackRequest(version=version, reason=reason).model_dump()
        return self._send("POST", "/rollback", TargetInfo, json=body)

    def reset(self, *, reason: str | None = None) -> TargetInfo:
        """Serve the exported version and forget what was observed since."""
        return self._send("POST", "/reset", TargetInfo, json={"reason": reason})

    def freeze(self, *, reason: str | None = None) -> TargetInfo:
        """Switch adaptation off."""
        return self._send("POST", "/freeze", TargetInfo, json={"reason": reason})

    def unfreeze(self, *, reason: str | None = None) -> TargetInfo:
        """Switch adaptation on again."""
        return self._send("POST", "/unfreeze", TargetInfo, json={"reason": reason})

    @property
    def url(self) -> str:
        """URL of the service."""
        return self._url

    def health(self) -> Health:
        """Report whether the service is ready, and what it runs on."""
        return self._parse(self._request("GET", f"{self._url}/health/ready"), Health)

    def _predict(
        self, images: Sequence[Image], start: int, **given: int | str | None
    ) -> PredictResult:
        """Predict one batch, in halves if it is too large for the service."""
        params = _given(**given)
        try:
            return self._send(
                "POST", "/predict", PredictResult, repeat=True, files=_files(images), params=params
            )
        except ClientError as error:
            if error.status != TOO_LARGE or len(images) == 1:
                raise ClientError(shifted(str(error), start), error.status, error.kind) from error
        middle = len(images) // 2
        result = self._predict(images[:middle], start, **given)
        rest = self._predict(
            images[middle:], start + middle, **{**given, "version": result.version}
        )
        result.predictions.extend(rest.predictions)
        return result

    def _send(
        self,
        method: str,
        path: str,
        model: type[M],
        repeat: bool = False,
        headers: dict[str, str] | None = None,
        **content: object,
    ) -> M:
        url = f"{self._url}/targets/{quote(self._target, safe='')}{path}"
        return self._parse(self._request(method, url, repeat, headers, **content), model)

    def _request(
        self,
        method: str,
        url: str,
        repeat: bool = False,
        headers: dict[str, str] | None = None,
        **content: object,
    ) -> httpx.Response:
        sent = {**self._credentials, **(headers or {})}
        for attempt in range(1, self._retries.attempts + 1):
            try:
                response = self._http.request(method, url, headers=sent, **content)  # type: ignore[arg-type]
            except httpx.InvalidURL as error:
                raise ClientError(f"{self._url} is not a URL: {error}") from error
            except httpx.HTTPError as error:
                reason = f"cannot reach {self._url}: {error}"
                lost = isinstance(error, httpx.TransportError)
                hopeless = not lost or isinstance(error, httpx.UnsupportedProtocol)
                if repeat and not hopeless and self._retries.pause(attempt, None, reason):
                    continue
                raise ClientError(reason) from error
            failed = error_of(response)
            if failed is None:
                return response
            again = response.status_code in (TOO_MANY_REQUESTS, UNAVAILABLE)
            wish = response.headers.get("Retry-After")
            if not (repeat and again and self._retries.pause(attempt, wish, str(failed))):
                raise failed
        raise AssertionError("the last attempt either returns or raises")

    def _parse(self, response: httpx.Response, model: type[M]) -> M:
        try:
            return model.model_validate_json(response.content)
        except ValueError as error:
            raise ClientError(f"{self._url} does not answer like this service") from error


def _credentials(key: str | None) -> dict[str, str]:
    """Headers that carry a key.

    Raises:
        ClientError: if it cannot be sent.
    """
    if not key:
        return {}
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ClientError("the key holds characters that no key of a service has")
    return {"Authorization": f"Bearer {key}"}


def _size(image: Image) -> int:
    if not isinstance(image, Path):
        return len(image)
    try:
        return image.stat().st_size
    except OSError:
        return 0  # reading it gives the error


def _given(**params: int | str | None) -> dict[str, int | str]:
    """Query parameters that have a value."""
    return {name: value for name, value in params.items() if value is not None}


def _files(images: Sequence[Image]) -> list[tuple[str, tuple[str, bytes]]]:
    files = []
    for index, image in enumerate(images):
        if isinstance(image, Path):
            try:
                files.append(("file", (image.name, image.read_bytes())))
            except OSError as error:
                raise ClientError(f"cannot read {image}: {error.strerror}") from error
        else:
            files.append(("file", (str(index), image)))
    return files
