"""Makes what is released, and looks at it: ``python -m scripts.release`` (``make release``).

Into ``build/release``: the wheel, and for some extras a list of everything that installing them brings
along (CycloneDX), made from an environment in which nothing else is installed. The environment is audited
for known vulnerabilities, as far as the index can be asked for them.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
RELEASE = ROOT / "build" / "release"
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = ("cpu", "cpu,postgres", "train,cpu")
TOOLS = ("build>=1.2", "cyclonedx-bom>=7", "pip-audit>=2.9")


def main() -> None:
    """Build, install, list and audit."""
    RELEASE.mkdir(parents=True, exist_ok=True)
    tools = _environment("tools")
    _run(tools / "pip", "install", "--quiet", *TOOLS)
    for old in RELEASE.glob("*.whl"):
        old.unlink()
    _run(tools / "python", "-m", "build", "--wheel", "--outdir", RELEASE, ROOT)
    [wheel] = RELEASE.glob("*.whl")
    for extras in EXTRAS:
        binaries = _environment(extras.replace(",", "-"))
        _run(
            binaries / "pip",
            "install",
            "--quiet",
            "--constraint",
            CONSTRAINTS,
            f"{wheel}[{extras}]",
        )
        _run(binaries / "rn", "--version")
        listed = RELEASE / f"{wheel.stem}-{extras.replace(',', '-')}.cdx.json"
        _run(tools / "cyclonedx-py", "environment", "--output-file", listed, binaries / "python")
        [packages] = binaries.parent.glob("lib/python*/site-packages")
        _run(tools / "pip-audit", "--progress-spinner", "off", "--path", packages)
    print(f"the release is in {RELEASE}")


def _environment(name: str) -> Path:
    """The programs of a new environment."""
    folder = ROOT / "build" / "environments" / name
    venv.create(folder, clear=True, with_pip=True)
    return folder / "bin"


def _run(*command: str | Path) -> None:
    print("+", *command, flush=True)
    # Nothing of this checkout may stand in for what is installed.
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run([str(part) for part in command], cwd=RELEASE, env=alone, check=False)
    if result.returncode:
        sys.exit(f"{Path(command[0]).name} failed with status {result.returncode}")


if __name__ == "__main__":
    main()
