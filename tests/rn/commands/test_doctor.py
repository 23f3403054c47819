import socket
from pathlib import Path

import pytest

from rn.commands.checkup.packages import try_imports
from rn.commands.checkup.runtime import exclusive
from rn.commands.checkup.serving import ledger
from tests.rn.calling import rn


def lines(*arguments: object, **environment: str | None) -> tuple[list[str], int]:
    """What the doctor prints, and its exit status."""
    result = rn("doctor", *arguments, **environment)
    return result.stdout.splitlines(), result.exit_code


def failures(text: list[str]) -> list[str]:
    """Findings that fail, but for packages that do not fit each other on this machine."""
    return [line for line in text if line.startswith("FAIL ") and " import " not in line]


def test_what_works_is_listed(bundle_path: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/ledger.sqlite"
    text, status = lines("--bundle", bundle_path, "--ledger", url)
    assert not failures(text)
    assert status == int(any(line.startswith("FAIL ") for line in text))
    assert "ok   runs on CPUExecutionProvider" in text
    assert any(
        line.startswith(f"ok   bundle {bundle_path}: small, 3 classes, 2 sites") for line in text
    )
    assert "ok   telemetry of ONNX Runtime is off" in text
    assert any(line.startswith("ok   import torch 2.") for line in text)
    assert f"ok   ledger {url}, driver sqlite3.dbapi2" in text
    assert any(f"folder of the ledger {tmp_path}/new: " in line for line in text)
    assert not (tmp_path / "new").exists()


def test_what_does_not_work_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rn.commands.checkup.packages._COMPILED", ())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        url = "postgresql+pg8000://user:secret@host/db"
        text, status = lines("--bundle", tmp_path, "--port", port, RN_LEDGER=url)
    assert status == 1
    bundle, driver = failures(text)
    assert f"FAIL bundle {tmp_path}: cannot read manifest.json" in bundle
    assert driver.startswith("FAIL ledger postgresql+pg8000://user:***@host/db: no driver: ")
    assert any(
        f"cannot listen on 127.0.0.1:{port}" in line and "may be running" in line for line in text
    )
    (line,) = failures(lines(RN_PORT="none")[0])
    assert line.startswith("FAIL port (RN_PORT): ")


def test_packages_that_do_not_fit_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "misfit.py").write_text("print('hello')\nraise RuntimeError('operator\\nmissing')")
    (tmp_path / "crash.py").write_text("import os\nos.abort()")
    (tmp_path / "fine.py").write_text("__version__ = '1.2'")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert list(try_imports(["fine", "misfit", "crash", "fine"])) == [
        (True, "import fine 1.2"),
        (False, "import misfit fails: RuntimeError: operator missing"),
        (False, "import crash ends the process with status -6"),
    ]


def test_runtimes_that_overwrite_each_other() -> None:
    assert not list(exclusive(["onnxruntime-gpu"]))
    (finding,) = exclusive(["onnxruntime", "onnxruntime-openvino"])
    assert finding.good is False and "onnxruntime, onnxruntime-openvino are" in finding.text


def test_a_ledger_whose_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    *_, finding = ledger(f"sqlite:///{tmp_path}/file/deep/ledger.sqlite")
    assert finding.good is False and f"cannot write to {tmp_path}/file" in finding.text
    (finding,) = ledger("nonsense")
    assert finding.good is False and "not one that SQLAlchemy can read" in finding.text
