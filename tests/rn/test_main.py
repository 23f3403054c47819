"""The program as it is called: what it imports, how long its help takes, and shell completion."""

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from rn.table import COMMANDS

HEAVY = (
    *("cryptography", "fastapi", "httpx", "jinja2", "matplotlib", "numpy", "onnx", "onnxruntime"),
    *("PIL", "pydantic", "pydantic_settings", "rich", "safetensors", "sqlalchemy", "starlette"),
    *("torch", "uvicorn", "yaml"),
)
# Seconds of CPU time. It takes a third of it on an idle machine.
LIMIT = 0.3

PROGRAM = f"""
import sys
from rn.main import main
for command in {tuple(COMMANDS)!r}:
    for arguments in [command, "--help"], ["--help"]:
        sys.argv = ["rn", *arguments]
        try:
            main()
        except SystemExit as end:
            assert end.code == 0
print("imported:", *sorted(set(sys.modules) & set({HEAVY!r})))
"""


def run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, *command),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def cpu_time(arguments: Sequence[str]) -> float:
    """Seconds that a process and what it started spent on processors."""
    with subprocess.Popen((sys.executable, *arguments), stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


def test_help_imports_nothing_heavy() -> None:
    result = run("-c", PROGRAM)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "imported:"


@pytest.mark.parametrize("arguments", [("--help",), ("adapt", "--help"), ("serve", "--help")])
def test_help_is_fast(arguments: tuple[str, ...]) -> None:
    # What an occupied machine adds to the time differs from try to try.
    assert min(cpu_time(("-m", "rn", *arguments)) for _ in range(3)) < LIMIT


def complete(line: str) -> list[str]:
    """What bash is offered for the last word of a command line."""
    words = line.split(" ")
    result = run(
        *("-m", "rn"),
        _RN_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_commands_are_completed() -> None:
    assert complete("rn ") == list(COMMANDS)
    assert complete("rn rep") == ["report", "replay"]


def test_options_are_completed() -> None:
    assert complete("rn export --no-s") == ["--no-samples"]
    assert complete("rn export run --layout ") == ["bundle", "onnx", "triton", "mlflow"]
    # The former name works, and is not offered.
    assert complete("rn export --no-c") == []


def test_a_usage_error_names_the_command() -> None:
    result = run("-m", "rn", "export", "run")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: rn export ")
    assert "Missing option '--out'" in result.stderr
