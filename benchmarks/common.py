"""A row of the benchmark: one piece of work done by several sides in turns, checked for equality first.

A side is built from the problem, a dict of arrays, and has run() (one unit of work) and check() ({name: array} before any
run; all sides equal). Each side lives in a process of its own, as it does at a user's, and only one works at a time: in
one process the idle threads of one library's pool spin while the other library's work.
"""

import contextlib
import dataclasses
import gc
import json
import math
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

PAUSE = 0.15    # seconds before each turn: OpenBLAS's threads spin for up to 0.1 s after their last product, then sleep
SHORTEST = 0.2  # seconds; a unit that takes less is repeated within a turn, after an unmeasured one that wakes the cores
TINYDL = "tinydl"


class Unavailable(Exception):
    """A side that cannot run here, with the reason."""


@dataclasses.dataclass
class Row:
    """title: what is measured; problem(quick) -> {name: array}; sides: {name: build(problem)}, the first is tinydl's.

    must: how many times as fast as the best other side (None: only reported). beside: sides measured but not judged.
    steps(problem): training steps of a unit; flops(problem): arithmetic of a unit's matrix products; note(problem): a
    line to print. rtol: largest |difference| / largest |number| of each checked array.
    """
    title: str
    problem: Callable
    sides: dict
    must: float | None
    rtol: float = 1e-4
    beside: tuple = ()
    steps: Callable = lambda problem: 1
    flops: Callable = lambda problem: 0
    note: Callable = lambda problem: ""


@dataclasses.dataclass
class Result:
    """One line of the table."""
    title: str
    tinydl: str
    other: str
    mode: str
    ratio: str
    must: str
    holds: bool | None
    details: dict


# ------------------------------------------------------------------------------------------------ a row, from start to end
def measure(name, row, quick):
    """Start every side, check that all compute the same, time them in turns, and read their memory. Returns a Result."""
    print(f"\n== {row.title}", flush=True)
    problem = row.problem(quick)
    if text := row.note(problem):
        print(f"  {text}")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        np.savez(folder / "problem.npz", **problem)
        sides, missing = {}, {}
        for number, side in enumerate(row.sides):
            worker = stack.enter_context(Worker(name, side, folder / "problem.npz", folder / f"check-{number}.npz"))
            if worker.missing:
                missing[side] = worker.missing
                print(f"  {side}: not available, {worker.missing}")
            else:
                sides[side] = worker
        worst = _check_equal(row, {side: worker.checks for side, worker in sides.items()})
        seconds = take_turns({side: worker.run for side, worker in sides.items()}, rounds=5 if quick else 15)
        memory = {side: worker.memory() for side, worker in sides.items()}
    steps, flops = row.steps(problem), row.flops(problem)
    median = {side: statistics.median(times) for side, times in seconds.items()}
    for side, times in seconds.items():
        share = f", {flops / median[side] / sgemm_limit():4.0%} of the sgemm limit" if flops else ""
        imports, peak = memory[side]
        print(f"  {side:<24} {_ms(median[side] / steps)} a step (best {_ms(min(times) / steps)}){share}; peak memory "
              f"{peak:,.0f} MB, of which imports {imports:,.0f} MB")
    best = min((side for side in median if side != TINYDL and side not in row.beside), key=median.get)
    ratio = median[best] / median[TINYDL]
    return Result(row.title, _ms(median[TINYDL] / steps), _ms(median[best] / steps), best, f"{ratio:.2f} x",
                  "" if row.must is None else f">= {row.must} x", None if row.must is None else ratio >= row.must,
                  {"seconds": seconds, "steps": steps, "flops": flops, "ratio": ratio, "worst_difference": worst,
                   "memory_mb": memory, "not_available": missing})


def _check_equal(row, checks):
    """Every side's numbers are tinydl's, to rounding. Returns the largest relative difference."""
    worst = 0.0
    for side, arrays in checks.items():
        for key, mine in checks[TINYDL].items():
            other = arrays[key]
            if mine.shape != other.shape or mine.dtype != other.dtype:
                raise AssertionError(f"{key}: tinydl has {mine.dtype} {mine.shape}, {side} {other.dtype} {other.shape}")
            scale = float(np.max(np.abs(other), initial=0))
            gap = float(np.max(np.abs(mine - other), initial=0)) / (scale or 1)
            if not gap <= row.rtol:
                raise AssertionError(f"{key}: tinydl and {side} differ by {gap:.1e} of the largest number, allowed are "
                                     f"{row.rtol:.0e}")
            worst = max(worst, gap)
    first, *others = checks[TINYDL]
    what = f"{first} and {len(others)} gradients" if others else first
    print(f"  equal on all sides: {what} (largest difference {worst:.1e} of the largest number, allowed {row.rtol:.0e}, "
          "float32)")
    return worst


def take_turns(runs, rounds):
    """{side: seconds of a unit in each round}; runs[side](count) -> seconds a unit. Who begins a round rotates."""
    names, once = list(runs), {}
    for _ in range(2):  # compilation and caches first; the second time tells how long a unit takes
        for name in names:
            once[name] = runs[name](1)
    count = {name: max(1, math.ceil(SHORTEST / once[name])) for name in names}
    seconds = {name: [] for name in names}
    for number in range(rounds):
        for k in range(len(names)):
            name = names[(number + k) % len(names)]
            time.sleep(PAUSE)
            if count[name] > 1:
                runs[name](1)
            seconds[name].append(runs[name](count[name]))
    return seconds


def _timed(run, count):
    started = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - started) / count


def _ms(seconds):
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} us"


# ------------------------------------------------------------------------------------------------ a side's process
class Worker:
    """A side in a process of its own: `checks` {name: array}, run(count) -> seconds a unit, memory() -> (imports, peak).

    The process reads a line, a number of units, and answers with one. `missing` says why a side cannot run here, or is None.
    """

    def __init__(self, name, side, problem, checks):
        command = [sys.executable, "-m", "benchmarks", "--side", name, side, str(problem), str(checks)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.missing, self._imports = self._answer()
        if self.missing is None:
            with np.load(checks) as arrays:
                self.checks = dict(arrays)

    def run(self, count):
        return self._ask(count)[0]

    def memory(self):
        return self._imports, self._ask(0)[1]

    def _ask(self, count):
        print(count, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"benchmarks: a side's process ended with code {self._process.wait()}; its error is above")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.stdin.close()  # the end of its input ends it
        self._process.wait()


def run_side(row, side, problem, checks):
    """What `Worker` starts: import, build, check, then run as many units as each line of the standard input says."""
    if side == TINYDL:
        import numba  # noqa: F401  (every training loads it, so it counts as an import)

        import tinydl.training  # noqa: F401
    else:
        import torch  # noqa: F401
    imports = _peak()
    with np.load(problem) as arrays:
        problem = dict(arrays)
    try:
        built = row.sides[side](problem)
        np.savez(checks, **built.check())
    except Unavailable as error:
        print(json.dumps([str(error), imports]), flush=True)
        return
    print(json.dumps([None, imports]), flush=True)
    for line in sys.stdin:
        count = int(line)
        gc.collect()
        print(json.dumps([_timed(built.run, count) if count else None, _peak()]), flush=True)


def _peak():
    """The most memory this process ever had, in MB. Linux's ru_maxrss would count what the parent had when it forked."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


# ------------------------------------------------------------------------------------------------ the machine
_limit = []


def sgemm_limit(n=2048, rounds=8):
    """Floating-point operations a second of NumPy's best float32 matrix product, measured once."""
    if not _limit:
        a = np.random.default_rng(0).standard_normal((n, n), np.float32)
        y = np.empty_like(a)
        time.sleep(PAUSE)
        _limit.append(2 * n**3 / min(_timed(lambda: np.matmul(a, a, out=y), 1) for _ in range(rounds)))
    return _limit[0]


def machine():
    """{what: value}: versions, cores, BLAS, threads."""
    import numba
    import torch

    import tinydl
    facts = {"python": platform.python_version(), "numpy": np.__version__, "numba": numba.__version__,
             "torch": torch.__version__, "tinydl": tinydl.__version__, "processor": _processor(),
             "instructions": _vector_instructions(),
             "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
             "torch threads": torch.get_num_threads(), "numba threads": numba.get_num_threads()}
    try:
        from threadpoolctl import threadpool_info
        for pool in threadpool_info():
            if pool["user_api"] == "blas":
                facts["BLAS of numpy"] = f"{pool['internal_api']} {pool['version']}, {pool['num_threads']} threads"
    except ImportError:
        facts["BLAS of numpy"] = "unknown (threadpoolctl is not installed)"
    facts["BLAS of torch"] = "MKL" if torch.backends.mkl.is_available() else "not MKL"
    facts["sgemm limit"] = f"{sgemm_limit() / 1e9:.0f} GFLOP/s"
    return facts


def _processor():
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _vector_instructions():
    """The widest that NumPy found. Processors of one name have them or not, and ratios differ by it."""
    from numpy._core._multiarray_umath import __cpu_features__ as has

    return next((name for name in ("AVX512F", "AVX2", "SVE", "NEON") if has.get(name)), "none of AVX2, AVX-512, NEON, SVE")


# ------------------------------------------------------------------------------------------------ the table
def print_table(results):
    """row, tinydl, best PyTorch, its mode, ratio, must, verdict"""
    lines = [("", "tinydl", "PyTorch", "its best mode", "ratio", "must", "")]
    for r in results:
        verdict = "" if r.holds is None else "holds" if r.holds else "MISSED"
        lines.append((r.title, r.tinydl, r.other, r.mode, r.ratio, r.must, verdict))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print()
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def save(path, facts, results):
    """All as JSON. Rows that the file has of an earlier run stay, where machine and versions are the same and they are not
    measured anew."""
    path, rows = pathlib.Path(path), {}
    if path.exists():
        before = json.loads(path.read_text())
        if all(before["machine"].get(what) == value for what, value in facts.items() if what != "sgemm limit"):
            rows = {row["title"]: row for row in before["rows"]}
    rows |= {r.title: dataclasses.asdict(r) for r in results}
    path.write_text(json.dumps({"machine": facts, "rows": list(rows.values())}, indent=1, default=lambda n: n.item()) + "\n")
