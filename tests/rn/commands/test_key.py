"""``rn key``, and the keys that it makes, with the real service and its commands."""

from pathlib import Path

import pytest

from service.client import Client, ClientError
from service.security.keys import keys_of_file, new_key
from service.security.rate_limits import UNLIMITED
from tests.rn.calling import failure, rn
from tests.service.pictures import noise, png
from tests.service.processes import client, run, started


def test_what_it_prints_can_be_pasted_and_used(bundle_path: Path, tmp_path: Path) -> None:
    """The key and its entry, from the command to a service that other machines reach."""
    made = rn("key", "camera-3", "--role", "predict")
    key, _, entry = made.stdout.partition("\n\n")
    path, appended = tmp_path / "keys.toml", tmp_path / "appended.toml"
    path.write_text(entry)
    path.chmod(0o600)
    operator = rn("key", "operator", "--role", "operate", "--file", path).stdout.strip()
    assert "\n" not in operator
    assert [one.name for one in keys_of_file(path, UNLIMITED)] == ["camera-3", "operator"]
    rn("key", "camera-3", "--role", "predict", "--file", appended)
    assert appended.stat().st_mode & 0o077 == 0

    image = tmp_path / "image.png"
    image.write_bytes(png(noise(1)[0]))
    settings = {"RN_KEYS_FILE": str(path), "RN_HOST": "0.0.0.0", "RN_LOG_LEVEL": "debug"}
    with started(bundle_path, tmp_path, **settings) as process:
        url = process.url.replace("0.0.0.0", "127.0.0.1")
        assert "keys are needed; keys by role: predict 1, operate 1" in "".join(process.stderr)
        with Client(url, key=key) as caller:
            assert len(caller.predict([image]).predictions) == 1
        with Client(url, key=operator) as caller, pytest.raises(ClientError) as caught:
            caller.predict([image])
        assert (caught.value.status, caught.value.kind) == (403, "missing-role")
        with_flag = run("predict", str(image), "--url", url, "--key", key, folder=tmp_path)
        with_variable = run("predict", str(image), "--url", url, folder=tmp_path, RN_KEY=key)
        assert (with_flag.returncode, with_flag.stderr) == (0, "")
        assert with_variable.stdout == with_flag.stdout
        without = run("predict", str(image), "--url", url, folder=tmp_path)
        assert without.returncode == 1
        assert "this service needs a key" in without.stderr
        wrong = new_key()
        refused = run("predict", str(image), "--url", url, folder=tmp_path, RN_KEY=wrong)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
        broken = run("predict", str(image), "--url", url, folder=tmp_path, RN_KEY=f"{wrong}\n")
        assert (broken.returncode, len(broken.stderr.splitlines())) == (1, 1)
        with client(process) as http:
            assert http.get("/docs", auth=("anybody", key)).status_code == 200
        process.terminate()
        assert process.exit_code() == 0
    said = "".join((*process.stderr, refused.stderr, broken.stderr, without.stderr))
    assert all(secret not in said for secret in (key, operator, wrong))
    assert "unknown key from 127.0.0.1" in said


def test_what_cannot_be_made(tmp_path: Path) -> None:
    line = failure("key", "camera", "--role", "admin")
    assert line == "--role admin is not a role; there are predict, adapt, moments, operate, metrics"
    assert "letters, digits, hyphens" in failure("key", "a b", "--role", "predict")
    path = tmp_path / "keys.toml"
    path.write_text("no keys")
    line = failure("key", "camera", "--role", "predict", "--file", path)
    assert line == f"the keys file {path} is not TOML: at line 1, column 4"
    assert path.read_text() == "no keys"


def test_a_service_that_strangers_could_reach_does_not_start(
    bundle_path: Path, tmp_path: Path
) -> None:
    arguments = ("serve", str(bundle_path), "--host", "0.0.0.0", "--port", "0")
    result = run(*arguments, folder=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("rn serve: RN_HOST=0.0.0.0 would let every machine")
    assert "RN_KEYS_FILE" in line
    assert "RN_ALLOW_ANONYMOUS=true" in line
    assert list(tmp_path.iterdir()) == []
    for name in ("RN_PREDICT_KEY", "RN_OPERATE_KEY"):
        secret = "too short by one character, 31."
        result = run(*arguments, folder=tmp_path, **{name: secret})
        assert result.stderr.startswith(f"rn serve: {name} is not a usable key: ")
        assert secret not in result.stderr
