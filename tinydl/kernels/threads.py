"""Tasks side by side on the cores: for NumPy calls that use one core each, such as products of many small matrices.

NumPy lets other threads run inside of its loops. Tasks must not write to the same memory; then results do not depend on how
many run at a time.
"""

import concurrent.futures
import functools
import os
import sys

from .registry import numba_enabled


def side_by_side(run, tasks):
    """run(task) for each of a list of tasks, on as many threads as numba's kernels have; without numba one by one."""
    numba = sys.modules.get("numba")
    threads = numba.get_num_threads() if numba is not None and numba_enabled() and len(tasks) > 1 else 1
    if threads == 1:
        for task in tasks:
            run(task)
    else:
        list(_pool(threads).map(run, tasks))


@functools.cache
def _pool(threads):
    return concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="tinydl")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
