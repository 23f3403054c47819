"""Makes the environments of the peers: ``python -m bench.serving.setup --work FOLDER``.

Each peer has an environment of its own, with the versions of ``bench/serving/peers/NAME.txt``. One that
cannot be installed is reported with the reason, and does not keep the others from being installed.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
WORK = Path.home() / ".cache" / "rn-bench"


def environment(work: Path, peer: str) -> Path:
    """Folder of a peer's environment."""
    return work / "environments" / peer


def failure_log(work: Path, peer: str) -> Path:
    """File that says why a peer could not be installed; absent if it was."""
    return work / "environments" / f"{peer}.failed"


def install(work: Path, peer: str) -> str | None:
    """Install a peer, unless it is installed.

    Returns:
        Why it cannot be installed; None if it is.
    """
    folder, failed = environment(work, peer), failure_log(work, peer)
    requirements = PEERS / f"{peer}.txt"
    stamp = folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return None
    failed.parent.mkdir(parents=True, exist_ok=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", "--requirement", str(requirements)],
    ):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            errors = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")]
            reason = " ".join(errors or ran.stderr.splitlines()[-1:]) or "no reason given"
            failed.write_text(reason)
            return reason
    failed.unlink(missing_ok=True)
    stamp.write_text(requirements.read_text())
    return None


def peers() -> list[str]:
    """Names of all peers."""
    return sorted(path.stem for path in PEERS.glob("*.txt"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Install the peers that are named, or all."""
    parser = argparse.ArgumentParser(description="Make the environments of the peers.")
    parser.add_argument("peers", nargs="*", help=f"peers to install; default: {', '.join(peers())}")
    parser.add_argument("--work", type=Path, default=WORK, help=f"work folder; default: {WORK}")
    given = parser.parse_args(arguments)
    for peer in given.peers or peers():
        reason = install(given.work, peer)
        print(
            f"{peer:<10} {'installed' if reason is None else f'not installed: {reason}'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
