"""Tasks side by side on the cores, each with its own NumPy calls, kernels and matrix products.

NumPy and the kernels let other threads run inside of their loops. A step of a long chain of small calls gains nothing from
cores that share each call; whole chains beside each other gain all. Tasks must not write to the same memory; then results
do not depend on how many run at a time.
"""

import functools
import itertools
import os
import sys

from .blas import products_alone
from .registry import numba_enabled


def side_by_side(run, tasks):
    """run(task) for each of a list of tasks, on as many threads as numba's kernels have; without numba one by one.

    Matrix products inside of them take one core each, in both cases: the same sums in the same order. One task alone has
    all cores.
    """
    if len(tasks) == 1:
        return run(tasks[0])
    numba = sys.modules.get("numba")
    threads = numba.get_num_threads() if numba is not None and numba_enabled() else 1
    with products_alone():
        if threads == 1:
            for task in tasks:
                run(task)
        else:
            list(_pool(threads).map(run, tasks))


def cuts(count, parts):
    """Slices of `count` things into parts as equal as can be: no more than there are things, and one at least."""
    parts = max(1, min(count, parts))
    borders = [count * i // parts for i in range(parts + 1)]
    return [slice(low, high) for low, high in itertools.pairwise(borders)]


@functools.cache
def _pool(threads):
    import concurrent.futures  # slow to import, and seldom needed

    return concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="tinydl")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
