import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from service.errors import LedgerError
from service.ledger.ledger import Ledger


def _not_a_database(folder: Path) -> str:
    (folder / "file").write_text("this is not a database, but has room for a header" * 100)
    return f"sqlite:///{folder}/file"


def _below_a_file(folder: Path) -> str:
    (folder / "file").touch()
    return f"sqlite:///{folder}/file/ledger.sqlite"


def _a_directory(folder: Path) -> str:
    return f"sqlite:///{folder}"


@pytest.mark.parametrize("make", [_not_a_database, _below_a_file, _a_directory])
def test_a_ledger_that_cannot_be_opened_is_reported_in_one_line(make: Any, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"^cannot open the ledger sqlite:///\S+: .+$") as failed:
        Ledger(make(tmp_path))
    assert "\n" not in str(failed.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_who_may_not_write_is_told_what_would_help(mode: int) -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(mode)
        os.seteuid(10001)
        try:
            with pytest.raises(LedgerError) as failed:
                Ledger(f"sqlite:///{folder}/ledger.sqlite")
        finally:
            os.seteuid(0)
    said = str(failed.value)
    assert said.endswith(
        f"; this process is user 10001 and may not write there: chown -R 10001:0 {folder}"
    )
    assert "\n" not in said


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is not one that SQLAlchemy can read"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("nosuch://user:secret@host/x", "cannot open the ledger nosuch://user:...@host/x"),
        ("postgresql+nosuch://user:secret@host/x", "user:...@host"),
    ],
)
def test_urls_that_cannot_be_used(url: str, message: str) -> None:
    with pytest.raises(LedgerError, match=message) as failed:
        Ledger(url)
    assert "secret" not in str(failed.value)
    assert "\n" not in str(failed.value)
