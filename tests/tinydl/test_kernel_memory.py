"""Freed memory is kept for the next step: touching it again costs no page fault."""

import os
import platform
import subprocess
import sys

import pytest

CODE = """
import resource
import numpy as np
from tinydl.kernels.memory import keep_freed_memory
kept = keep_freed_memory()
def step():
    for _ in range(4):
        blocks = [np.ones(500_000) for _ in range(4)]  # 4 MB each
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**environment):
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True, env=environment)
    return map(int, done.stdout.split())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_second_step_touches_the_first_ones_memory():
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    kept, count = faults(**plain)
    assert kept and count < 100
    kept, more = faults(**plain, MALLOC_TRIM_THRESHOLD_="0")  # who sets it himself is left alone
    assert not kept and more > 10 * max(count, 1)
