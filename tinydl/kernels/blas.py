"""The threads of NumPy's matrix products, where they are OpenBLAS's: how many, and how long they wait awake.

Found by name in the library that NumPy is linked with; where it is another one, such as MKL or Accelerate, all of this does
nothing.
"""

import contextlib
import ctypes
import functools
import os
import threading

import numpy as np

PATIENCE = 20  # idle threads spin for 2^20 cycles, half a millisecond

_lock = threading.Lock()
_alone = {"tasks": 0, "before": 1}  # how many are inside of `products_alone`, and the threads from before


@contextlib.contextmanager
def products_alone():
    """Context manager: matrix products of all threads run on one core each."""
    with _lock:
        _alone["tasks"] += 1
        if _alone["tasks"] == 1:
            _alone["before"] = _openblas("get_num_threads", 1)()
            _openblas("set_num_threads")(1)
    try:
        yield
    finally:
        with _lock:
            _alone["tasks"] -= 1
            if not _alone["tasks"]:
                _openblas("set_num_threads")(_alone["before"])


@functools.cache
def sleep_soon():
    """Let idle threads sleep after `PATIENCE`, not after OpenBLAS's 2^26 cycles. So long they would hold a core, and what
    runs on other threads after a product, such as `side_by_side`, shares what is left: a training step took half as long
    again. $OPENBLAS_THREAD_TIMEOUT is respected.
    """
    if "OPENBLAS_THREAD_TIMEOUT" in os.environ or not hasattr(_library(), "blas_thread_shutdown_"):
        return
    os.environ["OPENBLAS_THREAD_TIMEOUT"] = str(PATIENCE)
    try:
        _library().openblas_read_env()
        _library().blas_thread_shutdown_()  # as before every fork; the next product starts them again, which read it
    finally:
        del os.environ["OPENBLAS_THREAD_TIMEOUT"]


def _openblas(name, otherwise=None):
    """The function of this name, whatever is put before and after it in NumPy's build, or one that returns `otherwise`."""
    for form in ("scipy_openblas_{}64_", "openblas_{}64_", "openblas_{}"):
        if hasattr(_library(), form.format(name)):
            return getattr(_library(), form.format(name))
    return lambda *args: otherwise


@functools.cache
def _library():
    core = getattr(np, "_core", None) or np.core
    try:
        return ctypes.CDLL(core._multiarray_umath.__file__)  # finds what this file is linked with, too
    except OSError:
        return None
