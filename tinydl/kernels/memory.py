"""Memory of a training step: what one step frees, the next one asks for again.

glibc gives large blocks back to the system when they are freed, so every step's activations and gradients are new pages,
each of which the system fills with zeros at the first touch: 7,400 page faults, a third of a Neural FM's step.
"""

import ctypes
import functools
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_... of malloc.h


@functools.cache
def keep_freed_memory(block=2**28, most=2**30):
    """Ask malloc to keep freed blocks of up to `block` bytes, `most` in all, for this process. -> whether it will.

    The peak stays what it was. Where there is no mallopt (not glibc), or the environment has set one of the two
    (MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_, GLIBC_TUNABLES), nothing changes.
    """
    if any(name in os.environ for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    sizes = block, 2**25  # older versions refuse more than the second
    return any(mallopt(_MMAP_THRESHOLD, size) for size in sizes) and bool(mallopt(_TRIM_THRESHOLD, most))
