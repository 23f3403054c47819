"""Log lines of the service: text on a terminal, JSON elsewhere."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from service.monitoring.requests import current_request
from service.vocabulary import LogFormat, LogLevel

# Loggers of this project and of the server; all others speak up for warnings alone.
_OWN = ("service", "rn", "uvicorn")
# What every record has, and the server's colours; the other attributes are the fields of a line.
_PLAIN = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message", "taskName"}


def configure_logging(form: LogFormat, level: LogLevel) -> None:
    """Send the log of this process to standard error, one line an event.

    Args:
        form: ``text``, ``json``, or ``auto``: text if standard error is a terminal.
        level: lowest level of the service's own lines.
    """
    handler = _StandardError()
    handler.addFilter(_add_request)
    handler.setFormatter(_json_formatter() if wants_json(form) else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OWN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(level.upper())
    logging.captureWarnings(True)


def wants_json(form: LogFormat) -> bool:
    """True if lines in this format are JSON."""
    return form == "json" or (form == "auto" and not sys.stderr.isatty())


def log_event(
    logger: logging.Logger, level: int, event: str, message: str, **fields: object
) -> None:
    """Log something that happened, with fields for programs.

    Args:
        logger: logger of the module.
        level: level of the line.
        event: name of the kind of event.
        message: the line for people.
        fields: what programs look for; those that are None are left out.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    logger.log(level, message, extra={"event": event, **given})


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at the time, which whoever runs a command may replace."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class UtcFormatter(logging.Formatter):
    """Gives times in UTC as ISO 8601 has them, with milliseconds."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """The time of a record."""
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextFormatter(UtcFormatter):
    """One line for people: time, level, message, and the fields in brackets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line, without the traceback that may follow it."""
        fields = {name: value for name, value in vars(record).items() if name not in _PLAIN}
        shown = " ".join(f"{name}={value}" for name, value in fields.items())
        line = super().formatMessage(record).replace("\n", "\\n")
        return f"{line} [{shown}]" if shown else line


def _json_formatter() -> logging.Formatter:
    # Imported only where it is used.
    from pythonjsonlogger.core import RESERVED_ATTRS
    from pythonjsonlogger.json import JsonFormatter

    class _Formatter(UtcFormatter, JsonFormatter):
        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            log_data["level"] = str(log_data["level"]).lower()
            return log_data

    return _Formatter(
        ["asctime", "levelname", "name", "message"],
        rename_fields={
            "asctime": "time",
            "levelname": "level",
            "name": "logger",
            "exc_info": "exception",
        },
        reserved_attrs=[*RESERVED_ATTRS, "color_message", "taskName"],
        json_ensure_ascii=False,
    )


def _add_request(record: logging.LogRecord) -> bool:
    """Add what is known of the request under way, unless the line says it itself."""
    context = current_request.get()
    if context is not None:
        fields = vars(record)
        fields.setdefault("request_id", context.request_id)
        if context.trace_id is not None:
            fields.setdefault("trace_id", context.trace_id)
        if context.client is not None:
            fields.setdefault("client", context.client)
    return True
