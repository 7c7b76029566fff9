"""Threads: tasks side by side, products on one core inside of them, and idle threads that sleep soon."""

import os
import subprocess
import sys

import pytest

from tinydl import kernels
from tinydl.kernels import blas

OPENBLAS = blas._openblas(blas.numpys(), "get_num_threads")() is not None
needs_openblas = pytest.mark.skipif(not OPENBLAS, reason="NumPy's products are not OpenBLAS's: there is nothing to set")


@needs_openblas
def test_products_alone_and_all_cores_again_after_the_last():
    """Those of NumPy, and those of compiled kernels, which are SciPy's."""
    blas.compiled_products()
    assert len(blas._libraries()) == 2
    before, inside = [blas._openblas(library, "get_num_threads")() for library in blas._libraries()], []

    def threads():
        inside.append([blas._openblas(library, "get_num_threads")() for library in blas._libraries()])
    try:
        for library, count in zip(blas._libraries(), (3, 2), strict=True):
            blas._openblas(library, "set_num_threads")(count)
        kernels.side_by_side(lambda task: threads(), [0, 1])
        with blas.products_alone():
            with blas.products_alone():
                threads()
            threads()
        threads()
        kernels.side_by_side(lambda task: threads(), [0])  # one task has all cores
        with pytest.raises(ZeroDivisionError):
            kernels.side_by_side(lambda task: 1 // task, [1, 0])
        threads()
    finally:
        for library, count in zip(blas._libraries(), before, strict=True):
            blas._openblas(library, "set_num_threads")(count)
    assert inside == [[1, 1]] * 4 + [[3, 2]] * 3


LATE = """
import sys
from tinydl.kernels import blas
def threads():
    return [blas._openblas(library, "get_num_threads")() for library in blas._libraries()]
before = threads()
with blas.products_alone():
    assert threads() == [1] and "scipy.linalg" not in sys.modules
    blas.compiled_products()
    assert threads() == [1, 1]
print(before, threads())
"""


@needs_openblas
def test_products_of_kernels_that_are_loaded_late_are_alone_too():
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", LATE], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "[2] [2, 2]"


def test_cuts_cover_everything_once_and_evenly():
    for count, parts in ((7, 3), (8, 4), (2, 2), (0, 1), (5, 1)):
        cuts = kernels.cuts(count, parts)
        sizes = [cut.stop - cut.start for cut in cuts]
        assert [i for cut in cuts for i in range(count)[cut]] == list(range(count))
        assert len(cuts) == parts and max(sizes) - min(sizes) <= 1
    assert [len(kernels.cuts(*few)) for few in ((3, 8), (5, 0), (0, 4))] == [3, 1, 1]


CODE = """
import os, sys, time, numpy as np
from tinydl import kernels
from tinydl.kernels import blas
def threads():
    return len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 0
if sys.argv[1] == "kernel":
    kernels.relu(np.ones(3))  # the first that runs compiled says so
else:
    before = threads()
    blas.sleep_soon(blas.numpys())
    end = time.perf_counter() + 10  # a joined thread stays listed for a moment
    while sys.argv[1] == "user" and threads() not in (0, before - 1) and time.perf_counter() < end:
        time.sleep(0.01)
    assert sys.argv[1] == "patient" or threads() in (0, before - 1)  # OpenBLAS's second thread has ended, to start anew
a = np.ones((300, 300))
assert (a @ a == 300).all()
print(blas.numpys().openblas_thread_timeout(), os.environ.get("OPENBLAS_THREAD_TIMEOUT"))
"""


@needs_openblas
@pytest.mark.parametrize("caller", ["user", *(["kernel"] if kernels.numba_enabled() else [])])
def test_idle_threads_of_products_sleep_soon_unless_the_user_says_when(caller):
    plain = {k: v for k, v in os.environ.items() if k != "OPENBLAS_THREAD_TIMEOUT"}
    plain["OPENBLAS_NUM_THREADS"] = "2"
    for given, who, want in (({}, caller, f"{blas.PATIENCE} None"), ({"OPENBLAS_THREAD_TIMEOUT": "7"}, "patient", "7 7")):
        done = subprocess.run([sys.executable, "-c", CODE, who], check=True, capture_output=True, text=True,
                              env={**plain, **given})
        assert done.stdout.strip() == want


def test_without_openblas_nothing_is_set(monkeypatch):
    monkeypatch.setattr(blas, "_library", lambda path: None)
    assert blas._openblas(blas.numpys(), "get_num_threads", 1)() == 1
    with blas.products_alone():
        kernels.side_by_side(lambda task: None, [0, 1])
    blas.sleep_soon.__wrapped__(blas.numpys())
