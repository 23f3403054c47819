"""Directories that take seconds to make: one for all workers, and for later runs of the same sources."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parents[1]
# All that decides about what is exported.
_SOURCES = ("bundle", "export", "rn", "rn_model", "tests/*.py", "tests/export/*.py")
_LIBRARIES = ("numpy", "onnx", "onnx-ir", "onnxruntime", "onnxscript", "safetensors", "torch")


def made(cache_folder: Path, name: str, make: Callable[[Path], None], copy: Path) -> Path:
    """A copy of the directory that ``make`` makes, which is only called if the cache has none.

    Args:
        cache_folder: directory of the cache.
        name: name of the directory; no other has the same.
        make: makes the directory, which does not exist yet, at a path.
        copy: where the copy is made, so that no test can harm what the cache keeps.
    """
    own = cache_folder / name
    kept = own / _sources_hash()
    own.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder / f"{name}.lock"):
        if not kept.exists():
            for outdated in own.iterdir():
                shutil.rmtree(outdated)
            with tempfile.TemporaryDirectory(dir=cache_folder) as folder:
                make(Path(folder) / name)
                os.replace(Path(folder) / name, kept)
        return Path(shutil.copytree(kept, copy))


@cache
def _sources_hash() -> str:
    digest = hashlib.sha256()
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    for pattern in _SOURCES:
        found = ROOT.glob(pattern) if "*" in pattern else (ROOT / pattern).rglob("*.py")
        for path in sorted(found):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
