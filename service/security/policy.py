"""What the settings say about who may reach the service, and as whom."""

from dataclasses import dataclass
from typing import Self

from pydantic import SecretStr

from service.security.authentication import Authenticator
from service.security.hosts import AllowedHosts, is_loopback, split_authority
from service.security.keys import ApiKey, KeysError, keys_of_file, keys_of_settings
from service.security.origins import DEFAULT_PORTS
from service.security.rate_limits import Limits
from service.security.roles import ROLES
from service.settings import Settings
from service.vocabulary import Role


@dataclass(frozen=True)
class Policy:
    """How requests are checked before anything of them is read.

    Attributes:
        authenticator: finds callers by their keys.
        hosts: names under which the service may be called.
        origins: other origins whose pages may call the service, in lower case.
        loopback_only: whether only connections of this machine are answered.
        summary: one line for whoever starts the service.
    """

    authenticator: Authenticator
    hosts: AllowedHosts
    origins: frozenset[str]
    loopback_only: bool
    summary: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The policy of the settings.

        Raises:
            KeysError: if keys are wrong, or the service would be open to strangers.
        """
        limits = Limits(
            settings.requests_per_second, settings.images_per_minute, settings.images_per_day
        )
        keys = _read_keys(settings, limits)
        loopback_only = not keys and not settings.allow_anonymous
        if loopback_only and not is_loopback(settings.host):
            raise KeysError(
                f"RN_HOST={settings.host} would let every machine that reaches it predict, adapt and roll"
                " back: configure keys (RN_PREDICT_KEY and others, or RN_KEYS_FILE; `rn key` makes one), or"
                " set RN_ALLOW_ANONYMOUS=true"
            )
        for name in settings.allowed_hosts:
            _check_host_name(name)
        names = settings.allowed_hosts or (("*",) if keys else (settings.host,))
        return cls(
            Authenticator(keys, limits),
            AllowedHosts(names),
            frozenset(_origin(origin) for origin in settings.allowed_origins),
            loopback_only,
            _summarize(keys, loopback_only),
        )


def _read_keys(settings: Settings, limits: Limits) -> list[ApiKey]:
    held: dict[Role, SecretStr | None] = {
        "predict": settings.predict_key,
        "adapt": settings.adapt_key,
        "moments": settings.moments_key,
        "operate": settings.operate_key,
        "metrics": settings.metrics_key,
    }
    given = [
        (f"RN_{role.upper()}_KEY", role, key.get_secret_value())
        for role, key in held.items()
        if key is not None
    ]
    keys = keys_of_settings(given, limits)
    if settings.keys_file is not None:
        keys += keys_of_file(settings.keys_file, limits)
    names = [key.name for key in keys]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise KeysError(f"two keys are named {doubled.pop()}; rename the one in the keys file")
    if len({key.digest for key in keys}) < len(keys):
        raise KeysError("a key of the keys file is also set in the environment; remove one of them")
    return keys


def _check_host_name(name: str) -> None:
    if name == "*":
        return
    try:
        host, port = split_authority(name.removeprefix("*."))
    except ValueError:
        host, port = "", ""
    if not host or port or "*" in host:
        raise KeysError(
            f"RN_ALLOWED_HOSTS: {name!r} is not a name such as example.org or *.example.org, without a port"
        )


def _origin(text: str) -> str:
    """An origin as browsers send it.

    Raises:
        KeysError: if it is not one.
    """
    kind, _, place = text.lower().rstrip("/").partition("://")
    try:
        host, port = split_authority(place)
    except ValueError:
        kind = ""
    if kind not in DEFAULT_PORTS or "*" in place:
        raise KeysError(
            f"RN_ALLOWED_ORIGINS: {text!r} is not an origin such as https://example.org"
        )
    return f"{kind}://{host}" + (f":{port}" if port not in ("", DEFAULT_PORTS[kind]) else "")


def _summarize(keys: list[ApiKey], loopback_only: bool) -> str:
    if loopback_only:
        return "no keys are configured: only programs on this machine are answered"
    if not keys:
        return "no keys are configured, and RN_ALLOW_ANONYMOUS is set: everybody may do everything"
    counts = {role: sum(role in key.roles for key in keys) for role in ROLES}
    held = ", ".join(f"{role} {count}" for role, count in counts.items() if count)
    return f"keys are needed; keys by role: {held}"
