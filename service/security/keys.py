"""API keys: how they are made, and how they are read from settings and from a file.

Only the SHA-256 of a key is kept. That is enough because keys are long and random, unlike passwords.
"""

import hashlib
import logging
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.security.rate_limits import UNLIMITED, Limits
from service.vocabulary import Role

MIN_LENGTH = 32
MAX_FILE_BYTES = 2**20
PREFIX = "rn_"

# Shorter than any key, so that a key that somebody takes for a name is neither accepted nor shown.
_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{MIN_LENGTH - 1}}}")
_KEY = re.compile(r"[!-~]*")

_log = logging.getLogger(__name__)

PositiveInt = Annotated[int, Field(ge=1, strict=True)]


class KeysError(Exception):
    """The keys cannot be used; one clear line that holds none of them."""


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key.

    Attributes:
        name: name in logs; not secret.
        roles: what it may be used for.
        digest: SHA-256 of the key, 32 bytes.
        limits: limits of whoever uses it.
    """

    name: str
    roles: frozenset[Role]
    digest: bytes = field(repr=False)
    limits: Limits = UNLIMITED


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    roles: Annotated[list[Role], Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    requests_per_second: PositiveInt | None = None
    images_per_minute: PositiveInt | None = None
    images_per_day: PositiveInt | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: dict[str, _Entry] = {}


def new_key() -> str:
    """A new key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> bytes:
    """SHA-256 of a key, 32 bytes."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def file_entry(name: str, roles: Sequence[Role], key: str) -> str:
    """The entry of a key in the keys file.

    Raises:
        KeysError: if the name is not one that the file can hold.
    """
    _check_name(name)
    listed = ", ".join(f'"{role}"' for role in roles)
    return f'[keys.{name}]\nroles = [{listed}]\nsha256 = "{digest_of(key).hex()}"\n'


def append_entry(path: Path, name: str, entry: str) -> None:
    """Add an entry to a keys file, which only its owner can read if it is made here.

    Raises:
        KeysError: if the file is not a keys file, has a key of this name, or cannot be written.
    """
    if path.exists() and name in _read_entries(path):
        raise KeysError(f"the keys file {path} has a key named {name} already")
    try:
        with open(path, "a", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(f"\n{entry}" if file.tell() else entry)
    except OSError as error:
        raise KeysError(f"cannot write the keys file {path}: {error.strerror}") from error


def keys_of_settings(given: Sequence[tuple[str, Role, str]], limits: Limits) -> list[ApiKey]:
    """Keys that were given in clear; one that was given for several roles has all of them.

    Args:
        given: name of the setting, role, and key.
        limits: limits of each key.

    Raises:
        KeysError: if a key is too short, or holds anything but printable ASCII characters.
    """
    roles: dict[bytes, list[Role]] = {}
    for setting, role, key in given:
        if len(key) < MIN_LENGTH or not _KEY.fullmatch(key):
            raise KeysError(
                f"{setting} is not a usable key: at least {MIN_LENGTH} ASCII characters without spaces;"
                " `rn key` makes one"
            )
        roles.setdefault(digest_of(key), []).append(role)
    return [
        ApiKey("-".join(held), frozenset(held), digest, limits) for digest, held in roles.items()
    ]


def keys_of_file(path: Path, limits: Limits) -> list[ApiKey]:
    """Keys of a keys file.

    Args:
        path: the TOML file.
        limits: limits of keys for which the file states none.

    Raises:
        KeysError: if the file cannot be read, can be changed by every user, or is not a keys file.
    """
    entries = _read_entries(path)
    if not entries:
        raise KeysError(f"the keys file {path} holds no keys; `rn key` makes one")
    return list(_keys(entries, limits, path))


def _read_entries(path: Path) -> dict[str, _Entry]:
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeysError(f"cannot read the keys file {path}: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise KeysError(f"the keys file {path} is larger than {MAX_FILE_BYTES:,} bytes")
    if mode & stat.S_IWOTH:
        raise KeysError(f"every user can change the keys file {path}: chmod 600 {path}")
    if mode & stat.S_IROTH:
        _log.warning("every user can read the keys file %s: chmod 600 %s", path, path)
    try:
        return _File.model_validate(tomllib.loads(content.decode())).keys
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KeysError(f"the keys file {path} is not TOML: {_place(error)}") from error
    except ValidationError as error:
        raise KeysError(f"keys file {path}: {_first(error)}") from error


def _keys(entries: dict[str, _Entry], limits: Limits, path: Path) -> Iterator[ApiKey]:
    names: dict[str, str] = {}
    for name, entry in entries.items():
        try:
            _check_name(name)
        except KeysError as error:
            raise KeysError(f"keys file {path}: {error}") from error
        if entry.sha256 in names:
            raise KeysError(f"keys file {path}: {names[entry.sha256]} and {name} are the same key")
        names[entry.sha256] = name
        own = Limits(
            entry.requests_per_second or limits.requests_per_second,
            entry.images_per_minute or limits.images_per_minute,
            entry.images_per_day or limits.images_per_day,
        )
        yield ApiKey(name, frozenset(entry.roles), bytes.fromhex(entry.sha256), own)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise KeysError(
            f"the name of a key has 1 to {MIN_LENGTH - 1} letters, digits, hyphens and underscores,"
            f" unlike {_shown(name)!r}"
        )


def _shown(text: str) -> str:
    """A word of the file, or what stands for one that may be a key by mistake."""
    return text if len(text) < MIN_LENGTH else "..."


def _place(error: Exception) -> str:
    # The text of the line, which may hold a key by mistake, is left out.
    found = re.search(r"at line \d+, column \d+|at end of document", str(error))
    return found[0] if found else "it is not UTF-8"


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(_shown(str(part)) for part in first["loc"])
    match first["loc"], first["type"]:
        case (*_, "sha256"), "string_pattern_mismatch":
            return f"{place}: not the SHA-256 of a key, 64 digits 0-9a-f; `rn key` prints it"
        case ("keys", _, "key"), "extra_forbidden":
            return f"{place}: keys are not kept in clear; give the SHA-256 of the key as sha256"
        case _, "extra_forbidden":
            return f"{place}: unknown field"
        case _:
            return f"{place}: {first['msg']}"
