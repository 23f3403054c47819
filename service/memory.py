"""Returns memory to the operating system."""

import ctypes
import gc


def release_free_memory() -> None:
    """Return the memory that loading left free; glibc would keep it for later allocations.

    Does nothing where the C library has no such function.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
