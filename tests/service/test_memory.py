"""Tests of returning memory to the operating system."""

import ctypes
import subprocess
import sys

import pytest

# Leaves 64 MB of small pieces free below one that is still used, which glibc keeps.
CODE = """
import ctypes
from pathlib import Path
from service.memory import release_free_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
pieces = [libc.malloc(65536) for _ in range(1024)]
for piece in pieces:
    ctypes.memset(piece, 1, 65536)
for piece in pieces[:-1]:
    libc.free(piece)
before = resident()
release_free_memory()
print(before - resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_free_memory_is_returned() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 48 * 2**20
