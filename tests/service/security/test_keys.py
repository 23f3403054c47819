"""Keys files, keys from settings, and what is said of those that cannot be used."""

import ast
import inspect
import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.security import authentication
from service.security.keys import (
    KeysError,
    append_entry,
    digest_of,
    file_entry,
    keys_of_file,
    new_key,
)
from service.security.policy import Policy
from service.security.rate_limits import UNLIMITED, Limits
from service.settings import Settings

# The same in every process that collects these tests.
KEY = f"rn_{'Az0_-' * 8}abc"
HASH = digest_of(KEY).hex()
ENTRY = file_entry("camera", ["predict"], KEY)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "keys.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


def test_an_entry_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    append_entry(path, "camera", ENTRY)
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("a") as file:
        file.write("images_per_day = 7")  # A line without an end, as some editors leave it.
    append_entry(path, "both", file_entry("both", ["adapt", "operate"], new_key()))
    camera, both = keys_of_file(path, Limits(requests_per_second=3))
    assert (camera.digest, camera.limits) == (digest_of(KEY), Limits(3, None, 7))
    assert (both.roles, both.limits) == (frozenset({"adapt", "operate"}), Limits(3))
    assert KEY not in path.read_text()


def test_an_entry_is_added_to_an_empty_file(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    append_entry(path, "camera", ENTRY)
    assert [key.name for key in keys_of_file(path, UNLIMITED)] == ["camera"]


def test_a_name_that_is_taken_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, ENTRY)
    with pytest.raises(KeysError, match=r"has a key named camera already$"):
        append_entry(path, "camera", ENTRY)
    assert path.read_text() == ENTRY


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\xff\xfe", "is not TOML: it is not UTF-8"),
        (f"{KEY}\n\n{ENTRY}", "is not TOML: at line 1, column 47"),
        (f'[keys.camera]\nroles = ["predict"]\nsha256 = "{KEY}', "is not TOML: at"),
        ("", "holds no keys; `rn key` makes one"),
        ("[keys]", "holds no keys; `rn key` makes one"),
        ("[Keys.camera]", "Keys: unknown field"),
        (f'"{KEY}" = 1', "...: unknown field"),
        (f'[keys]\ncamera = "{KEY}"', "keys.camera: "),
        (f'[keys]\n{KEY} = ["predict"]', "keys....: "),
        (ENTRY.replace("camera", KEY), "the name of a key has 1 to 31 letters"),
        (ENTRY.replace("camera", '"a b"'), "unlike 'a b'"),
        (ENTRY.replace(HASH, KEY), "keys.camera.sha256: not the SHA-256 of a key"),
        (ENTRY.replace(HASH, HASH.upper()), "keys.camera.sha256: not the SHA-256 of a key"),
        (f'{ENTRY}key = "{KEY}"', "keys.camera.key: keys are not kept in clear"),
        (f"{ENTRY}{KEY} = 1", "keys.camera....: unknown field"),
        (ENTRY.replace("predict", "admin"), "keys.camera.roles.0: Input should be 'predict'"),
        (ENTRY.replace('"predict"', ""), "keys.camera.roles: "),
        (f'[keys.camera]\nsha256 = "{HASH}"', "keys.camera.roles: Field required"),
        (f"{ENTRY}requests_per_second = 0", "keys.camera.requests_per_second: "),
        (f"{ENTRY}requests_per_second = true", "keys.camera.requests_per_second: "),
        (f"{ENTRY}images_per_day = 1.5", "keys.camera.images_per_day: "),
        (ENTRY + ENTRY.replace("camera", "door"), "camera and door are the same key"),
        (ENTRY + ENTRY, "is not TOML: at line "),
        (" " * (2**20 + 1), "is larger than 1,048,576 bytes"),
    ],
)
def test_what_is_not_a_keys_file(content: str | bytes, line: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    with pytest.raises(KeysError) as caught:
        keys_of_file(path, UNLIMITED)
    text = str(caught.value)
    assert str(path) in text
    assert line in text
    assert "\n" not in text
    assert KEY not in text


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in [(tmp_path, "Is a directory"), (tmp_path / "x", "No such file")]:
        with pytest.raises(KeysError, match=f"^cannot read the keys file {path}: {reason}"):
            keys_of_file(path, UNLIMITED)
    with pytest.raises(KeysError, match=r"^cannot write the keys file .*: No such file"):
        append_entry(tmp_path / "no" / "keys.toml", "camera", ENTRY)


def test_files_of_everybody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, ENTRY)
    keys_of_file(path, UNLIMITED)
    assert caplog.messages == []
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        keys_of_file(path, UNLIMITED)
    assert caplog.messages == [f"every user can read the keys file {path}: chmod 600 {path}"]
    path.chmod(0o602)
    with pytest.raises(KeysError, match=f"^every user can change the keys file {path}: chmod 600"):
        keys_of_file(path, UNLIMITED)


def settings(**given: object) -> Settings:
    return Settings.model_validate({"bundle": "x", **given})


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"predict_key": "short"}, r"^RN_PREDICT_KEY is not a usable key: at least 32 "),
        ({"operate_key": "ä" * 40}, r"^RN_OPERATE_KEY is not a usable key"),
        ({"adapt_key": f"{KEY}\n"}, r"^RN_ADAPT_KEY is not a usable key"),
        ({"host": "0.0.0.0"}, r"RN_PREDICT_KEY and others, or RN_KEYS_FILE.* RN_ALLOW_ANONYMOUS"),
        ({"host": "::"}, r"^RN_HOST=:: would let every machine"),
        ({"host": "example.org"}, r"^RN_HOST=example.org would let every machine"),
        *(
            ({"allowed_origins": origin}, r"^RN_ALLOWED_ORIGINS: .* is not an origin such as")
            for origin in ("*", "null", "a.example", "https://", "ftp://a.example", "http://a/b")
        ),
        ({"allowed_origins": "https://*.example"}, r"^RN_ALLOWED_ORIGINS: "),
        *(
            ({"allowed_hosts": name}, r"^RN_ALLOWED_HOSTS: .* is not a name such as example\.org")
            for name in ("https://a.example", "a.example:80", "*a.example", "a b", "a/b")
        ),
    ],
)
def test_settings_that_cannot_be(given: dict[str, object], line: str) -> None:
    with pytest.raises(KeysError, match=line) as caught:
        Policy.of(settings(**given))
    assert "\n" not in str(caught.value)
    for value in given.values():
        assert len(str(value)) < 32 or str(value).strip() not in str(caught.value)


def test_origins_are_compared_as_browsers_write_them() -> None:
    given = "https://Page.example:443/, http://page.example:8080,http://page.example:80"
    assert Policy.of(settings(allowed_origins=given)).origins == {
        "https://page.example",
        "http://page.example:8080",
        "http://page.example",
    }


def test_keys_of_the_file_and_of_settings_exclude_one_another(tmp_path: Path) -> None:
    path = write(tmp_path, ENTRY)
    with pytest.raises(KeysError, match="also set in the environment"):
        Policy.of(settings(keys_file=path, adapt_key=KEY))
    write(tmp_path, ENTRY.replace("camera", "adapt"))
    with pytest.raises(KeysError, match="two keys are named adapt"):
        Policy.of(settings(keys_file=path, adapt_key=new_key()))


def test_one_key_for_several_roles() -> None:
    policy = Policy.of(settings(host="0.0.0.0", predict_key=KEY, operate_key=KEY))
    caller = policy.authenticator.authenticate(f"Bearer {KEY}", None, None)
    assert caller.roles == {"predict", "operate"}
    assert policy.summary == "keys are needed; keys by role: predict 1, operate 1"


def test_nothing_prints_a_key() -> None:
    made = settings(predict_key=KEY)
    assert isinstance(made.predict_key, SecretStr)
    for text in (repr(made), str(made), made.model_dump_json(), repr(Policy.of(made))):
        assert KEY not in text
        assert HASH not in text


def test_keys_are_compared_in_constant_time() -> None:
    """How long a comparison takes cannot be measured reliably, so the code itself is looked at."""
    tree = ast.parse(inspect.getsource(authentication))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    (find,) = [function for function in functions if function.name == "_find"]
    calls = [ast.unparse(node.func) for node in ast.walk(find) if isinstance(node, ast.Call)]
    assert "hmac.compare_digest" in calls
    # Nothing is compared otherwise, and the search does not end with what it finds.
    forbidden = (ast.Compare, ast.Break, ast.Subscript)
    assert not any(isinstance(node, forbidden) for node in ast.walk(find))
    (loop,) = [node for node in find.body if isinstance(node, ast.For)]
    assert not any(isinstance(node, ast.Return) for node in ast.walk(loop))
