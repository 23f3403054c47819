from pathlib import Path
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
