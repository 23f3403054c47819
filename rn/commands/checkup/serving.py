"""Checks of what a service needs in addition to its bundle: ledger, disk and port."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from bundle.text import describe_error
from rn.commands.checkup.finding import Finding

MIN_FREE = 100 * 2**20


def ledger(url: str) -> Iterator[Finding]:
    """Findings on the driver of a ledger and, for a file, on its folder; nothing is opened or made.

    Args:
        url: database URL as SQLAlchemy takes it; a password in it is not shown.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        yield Finding(False, "the URL of the ledger is not one that SQLAlchemy can read")
        return
    shown = parsed.render_as_string(hide_password=True)
    try:
        driver = parsed.get_dialect().import_dbapi()
    except (SQLAlchemyError, ImportError) as error:
        reason = describe_error(error, first_line=True)
        yield Finding(False, f"ledger {shown}: no driver: {reason}")
        return
    yield Finding(True, f"ledger {shown}, driver {getattr(driver, '__name__', parsed.drivername)}")
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        yield _folder(Path(parsed.database).absolute().parent)


def port(host: str, number: int) -> Finding:
    """Whether a port is free; one that is in use may be that of a service that runs already."""
    from service.server.listening import AddressError, listen

    try:
        listen(host, number).close()
    except AddressError as error:
        return Finding(None, f"{error}; a service may be running there already")
    return Finding(True, f"port {number} of {host} is free")


def _folder(folder: Path) -> Finding:
    """Whether a folder, or the one that it would be made in, can be written and has space."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding(False, f"folder of the ledger {folder}: cannot write to {place}")
    free = shutil.disk_usage(place).free
    text = f"folder of the ledger {folder}: {free / 2**30:,.1f} GiB free"
    return Finding(free >= MIN_FREE, text)
