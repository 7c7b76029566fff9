"""The threads of matrix products, where they are OpenBLAS's: how many, and how long they wait awake.

Found by name in the library that NumPy is linked with, and in SciPy's, whose products compiled kernels use; where it is
another one, such as MKL or Accelerate, all of this does nothing.
"""

import contextlib
import ctypes
import functools
import os
import sys
import threading

import numpy as np

PATIENCE = 20  # idle threads spin for 2^20 cycles, half a millisecond

_lock = threading.RLock()
_alone = {"tasks": 0, "before": []}  # how many are inside of `products_alone`; libraries with their threads from before


@contextlib.contextmanager
def products_alone():
    """Context manager: matrix products of all threads run on one core each, those of compiled kernels too."""
    with _lock:
        _alone["tasks"] += 1
        if _alone["tasks"] == 1:
            for library in _libraries():
                _set_alone(library)
    try:
        yield
    finally:
        with _lock:
            _alone["tasks"] -= 1
            while _alone["before"] and not _alone["tasks"]:
                library, threads = _alone["before"].pop()
                _openblas(library, "set_num_threads")(threads)


def _set_alone(library):
    _alone["before"].append((library, _openblas(library, "get_num_threads", 1)()))
    _openblas(library, "set_num_threads")(1)


@functools.cache
def compiled_products():
    """Load SciPy's library, for a kernel that is about to use it; if products are to be alone just now, then its too."""
    import scipy.linalg.cython_blas  # noqa: F401  slow to import, and most kernels need none

    with _lock:
        if _alone["tasks"]:
            _set_alone(_libraries()[-1])
    sleep_soon(_libraries()[-1])


@functools.cache
def sleep_soon(library):
    """Let idle threads sleep after `PATIENCE`, not after OpenBLAS's 2^26 cycles. So long they would hold a core, and what
    runs on other threads after a product, such as `side_by_side`, shares what is left: a training step took half as long
    again. $OPENBLAS_THREAD_TIMEOUT is respected.
    """
    if "OPENBLAS_THREAD_TIMEOUT" in os.environ or not hasattr(library, "blas_thread_shutdown_"):
        return
    os.environ["OPENBLAS_THREAD_TIMEOUT"] = str(PATIENCE)
    try:
        library.openblas_read_env()
        library.blas_thread_shutdown_()  # as before every fork; the next product starts them again, which read it
    finally:
        del os.environ["OPENBLAS_THREAD_TIMEOUT"]


def _openblas(library, name, otherwise=None):
    """The function of this name, whatever is put before and after it in this build, or one that returns `otherwise`."""
    for form in ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}"):
        if hasattr(library, form.format(name)):
            return getattr(library, form.format(name))
    return lambda *args: otherwise


def _libraries():
    """NumPy's, and SciPy's once it is there."""
    scipys = sys.modules.get("scipy.linalg.cython_blas")
    return [numpys()] if scipys is None else [numpys(), _library(scipys.__file__)]


def numpys():
    """The library of NumPy's products."""
    core = getattr(np, "_core", None) or np.core
    return _library(core._multiarray_umath.__file__)


@functools.cache
def _library(path):
    try:
        return ctypes.CDLL(path)  # finds what this file is linked with, too
    except OSError:
        return None
