"""Checks of the extras: which are installed, and whether packages that often do not fit can be imported."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from bundle.extras import EXTRAS, install_command
from rn.commands.checkup.finding import Finding

# Extras and what they are for, in the order of the report. The runtime has checks of its own.
_PURPOSES = {
    "train": "rn adapt, rn compare and rn export",
    "backbones": "networks of timm, torchvision and transformers",
    "service": "rn serve, and commands that talk to a service",
    "heif": ".heic images",
    "grpc": "gRPC, with RN_GRPC_PORT",
    "mlflow": "rn export --layout mlflow",
}
# Packages with compiled parts that must fit each other; importing them takes seconds.
_COMPILED = ("torch", "torchvision", "timm", "pillow_heif")
LONG = 300.0
_MARK = ": imported "
_PROGRAM = f"""
import sys
for package in sys.argv[1:]:
    failure = version = ""
    try:
        version = getattr(__import__(package), "__version__", "")
    except Exception as error:
        failure = " ".join(f"{{type(error).__name__}}: {{error}}".split())
    print(package + {_MARK!r} + str(version) + chr(9) + failure, flush=True)
"""


def extras() -> Iterator[Finding]:
    """One finding per extra, and one per package that is installed but cannot be imported."""
    for extra, purpose in _PURPOSES.items():
        packages = [package for package, brought in EXTRAS.items() if brought == extra]
        missing = [package for package in packages if find_spec(package) is None]
        if not missing:
            yield Finding(True, f"extra {extra}, for {purpose}")
        else:
            yield Finding(
                None,
                f"no {', '.join(missing)}, for {purpose}: {install_command(extra)}",
            )
    yield from try_imports([package for package in _COMPILED if find_spec(package) is not None])


def try_imports(packages: Sequence[str]) -> Iterator[Finding]:
    """Import packages one after another, in a process of its own, which may crash or stall."""
    command = [sys.executable, "-c", _PROGRAM, *packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
        output = done.stdout
        reason = f"ends the process with status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode(errors="replace")
        reason = f"does not end within {LONG:.0f} s"
    answers = dict(line.partition(_MARK)[::2] for line in output.splitlines() if _MARK in line)
    for package in packages:
        if package not in answers:
            yield Finding(False, f"import {package} {reason}")
            return
        version, _, failure = answers[package].partition("\t")
        text = f" fails: {failure}" if failure else f" {version}"
        yield Finding(not failure, f"import {package}{text}".rstrip())
